// Constants of the Linux UAPI headers: SCSI and the device mapper (scsi/sg.h, linux/bsg.h, dm-ioctl.h).

package sysabi

var (
	setBSGFlags       = &Set{"BSG_FLAG_???", []Name{{0x10, "BSG_FLAG_Q_AT_TAIL"}, {0x20, "BSG_FLAG_Q_AT_HEAD"}}}
	setBSGProtocol    = &Set{"BSG_PROTOCOL_???", []Name{{0, "BSG_PROTOCOL_SCSI"}}}
	setBSGSubprotocol = &Set{"BSG_SUB_PROTOCOL_???", []Name{
		{0, "BSG_SUB_PROTOCOL_SCSI_CMD"}, {1, "BSG_SUB_PROTOCOL_SCSI_TMF"}, {2, "BSG_SUB_PROTOCOL_SCSI_TRANSPORT"},
	}}
	setSGIoDxferDirection = &Set{"SG_DXFER_???", []Name{
		{0xffffffff, "SG_DXFER_NONE"}, {0xfffffffe, "SG_DXFER_TO_DEV"}, {0xfffffffd, "SG_DXFER_FROM_DEV"},
		{0xfffffffc, "SG_DXFER_TO_FROM_DEV"},
	}}
	setSGIoFlags = &Set{"SG_FLAG_???", []Name{
		{1, "SG_FLAG_DIRECT_IO"}, {2, "SG_FLAG_UNUSED_LUN_INHIBIT"}, {4, "SG_FLAG_MMAP_IO"}, {0x10000, "SG_FLAG_NO_DXFER"},
		{0x10, "SG_FLAG_Q_AT_TAIL"}, {0x20, "SG_FLAG_Q_AT_HEAD"},
	}}
	setSGIoInfo    = &Set{"SG_INFO_???", []Name{{1, "SG_INFO_CHECK"}, {2, "SG_INFO_DIRECT_IO"}, {4, "SG_INFO_MIXED_IO"}}}
	setSGScsiReset = &Set{"SG_SCSI_RESET_???", []Name{
		{0, "SG_SCSI_RESET_NOTHING"}, {1, "SG_SCSI_RESET_DEVICE"}, {2, "SG_SCSI_RESET_BUS"}, {3, "SG_SCSI_RESET_HOST"},
		{4, "SG_SCSI_RESET_TARGET"}, {0x100, "SG_SCSI_RESET_NO_ESCALATE"},
	}}
	setDMFlags = &Set{"DM_???", []Name{
		{1, "DM_READONLY_FLAG"}, {2, "DM_SUSPEND_FLAG"}, {4, "DM_EXISTS_FLAG"}, {8, "DM_PERSISTENT_DEV_FLAG"},
		{0x10, "DM_STATUS_TABLE_FLAG"}, {0x20, "DM_ACTIVE_PRESENT_FLAG"}, {0x40, "DM_INACTIVE_PRESENT_FLAG"},
		{0x100, "DM_BUFFER_FULL_FLAG"}, {0x200, "DM_SKIP_BDGET_FLAG"}, {0x400, "DM_SKIP_LOCKFS_FLAG"},
		{0x800, "DM_NOFLUSH_FLAG"}, {0x1000, "DM_QUERY_INACTIVE_TABLE_FLAG"}, {0x2000, "DM_UEVENT_GENERATED_FLAG"},
		{0x4000, "DM_UUID_FLAG"}, {0x8000, "DM_SECURE_DATA_FLAG"}, {0x10000, "DM_DATA_OUT_FLAG"},
		{0x20000, "DM_DEFERRED_REMOVE"}, {0x40000, "DM_INTERNAL_SUSPEND_FLAG"}, {0x80000, "DM_IMA_MEASUREMENT_FLAG"},
	}}
)
