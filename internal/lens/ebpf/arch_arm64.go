package ebpf

import "culprit/internal/event"

// 32-bit ARM programs have no table here: their calls are not recorded.
const (
	archNative = event.ArchAArch64
	archCompat = event.Arch(0)
)
