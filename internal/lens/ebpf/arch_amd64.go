package ebpf

import "culprit/internal/event"

const (
	archNative = event.ArchX8664
	archCompat = event.ArchI386
)
