// Constants of the calls of calls_process.go that few programs make.

package sysabi

var (
	setIoprioClass = &Set{"IOPRIO_CLASS_???", []Name{
		{0, "IOPRIO_CLASS_NONE"}, {1, "IOPRIO_CLASS_RT"}, {2, "IOPRIO_CLASS_BE"}, {3, "IOPRIO_CLASS_IDLE"},
	}}
	setRseqCS = &Set{"RSEQ_CS_FLAG_???", []Name{
		{1, "RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT"}, {2, "RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL"},
		{4, "RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE"}, {0x10, "RSEQ_CS_FLAG_SLICE_EXT_AVAILABLE"},
		{0x20, "RSEQ_CS_FLAG_SLICE_EXT_ENABLED"},
	}}
	setSchedGetattr = &Set{"SCHED_GETATTR_FLAG_???", []Name{{1, "SCHED_GETATTR_FLAG_DL_DYNAMIC"}}}
)
