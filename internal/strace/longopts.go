package strace

const letters = "a:Ab:cCdDe:E:fFhiI:knNo:O:p:P:qrs:S:tTu:U:vVwxX:yYzZ"

var longOptions = []longOption{
	{"columns", required, "a"}, {"output-append-mode", none, "A"}, {"detach-on", required, "b"},
	{"summary-only", none, "c"}, {"summary", none, "C"}, {"debug", none, "d"},
	{"daemonize", optional, "daemonize"}, {"daemonised", optional, "daemonize"}, {"daemonized", optional, "daemonize"},
	{"env", required, "E"}, {"follow-forks", none, "follow"}, {"output-separately", none, "separately"},
	{"help", none, "h"}, {"instruction-pointer", none, "i"}, {"interruptible", required, "I"},
	{"kill-on-exit", none, "kill"}, {"stack-trace", optional, "stack"}, {"stack-traces", optional, "stack"},
	{"stack-trace-frame-limit", required, "frames"}, {"syscall-limit", required, "limit"}, {"syscall-number", none, "n"},
	{"arg-names", none, "N"}, {"output", required, "o"}, {"summary-syscall-overhead", required, "O"},
	{"attach", required, "p"}, {"trace-path", required, "P"}, {"relative-timestamps", optional, "r"},
	{"string-limit", required, "s"}, {"summary-sort-by", required, "S"},
	{"absolute-timestamps", optional, "ts"}, {"timestamps", optional, "ts"}, {"syscall-times", optional, "T"},
	{"user", required, "u"}, {"summary-columns", required, "U"}, {"no-abbrev", none, "v"}, {"version", none, "V"},
	{"summary-wall-clock", none, "w"}, {"strings-in-hex", optional, "hex"}, {"const-print-style", required, "X"},
	{"pidns-translation", none, "pidns"}, {"successful-only", none, "z"}, {"failed-only", none, "Z"}, {"failing-only", none, "Z"},
	{"seccomp-bpf", none, "seccomp"}, {"tips", optional, "tips"}, {"argv0", required, "argv0"},
	{"always-show-pid", none, "always"}, {"color", required, "color"},
	{"trace", required, "trace"}, {"trace-fds", required, "fds"}, {"abbrev", required, "abbrev"},
	{"verbose", required, "verbose"}, {"raw", required, "raw"}, {"signals", required, "signal"}, {"signal", required, "signal"},
	{"status", required, "status"}, {"read", required, "read"}, {"write", required, "write"},
	{"fault", required, "fault"}, {"inject", required, "inject"}, {"kvm", required, "kvm"},
	{"namespace", optional, "namespace"}, {"quiet", optional, "quiet"}, {"silent", optional, "quiet"}, {"silence", optional, "quiet"},
	{"decode-fds", optional, "decode-fds"}, {"decode-pids", required, "decode-pids"}, {"secontext", optional, "secontext"},
}
