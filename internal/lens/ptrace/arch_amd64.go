package ptrace

import "culprit/internal/event"

// archNative is the architecture whose numbers the filter tells apart.
const archNative = event.ArchX8664

// Numbers and sizes of 32-bit programs, for the calls made inside the target.
const (
	compatPrctl   = 172
	compatSeccomp = 354
)
