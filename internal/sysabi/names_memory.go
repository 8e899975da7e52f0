// Constants of the Linux UAPI headers; the values are those of x86-64.

package sysabi

var (
	setProt = &Set{"PROT_???", []Name{
		{0, "PROT_NONE"}, {1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}, {8, "PROT_SEM"},
		{0x1000000, "PROT_GROWSDOWN"}, {0x2000000, "PROT_GROWSUP"},
	}}
	setMmap = &Set{"MAP_???", []Name{
		{1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {3, "MAP_SHARED_VALIDATE"}, {8, "MAP_DROPPABLE"},
		{0x10, "MAP_FIXED"}, {0x20, "MAP_ANONYMOUS"}, {0x40, "MAP_32BIT"}, {0x80, "MAP_ABOVE4G"},
		{0x4000, "MAP_NORESERVE"}, {0x8000, "MAP_POPULATE"}, {0x10000, "MAP_NONBLOCK"}, {0x100, "MAP_GROWSDOWN"},
		{0x800, "MAP_DENYWRITE"}, {0x1000, "MAP_EXECUTABLE"}, {0, "MAP_FILE"}, {0x2000, "MAP_LOCKED"},
		{0x20000, "MAP_STACK"}, {0x40000, "MAP_HUGETLB"}, {0x80000, "MAP_SYNC"}, {0x4000000, "MAP_UNINITIALIZED"},
		{0x100000, "MAP_FIXED_NOREPLACE"},
	}}
	setMremap = &Set{"MREMAP_???", []Name{
		{1, "MREMAP_MAYMOVE"}, {2, "MREMAP_FIXED"}, {4, "MREMAP_DONTUNMAP"},
	}}
	setMadvise = &Set{"MADV_???", []Name{
		{0, "MADV_NORMAL"}, {1, "MADV_RANDOM"}, {2, "MADV_SEQUENTIAL"}, {3, "MADV_WILLNEED"}, {4, "MADV_DONTNEED"},
		{8, "MADV_FREE"}, {9, "MADV_REMOVE"}, {0xa, "MADV_DONTFORK"}, {0xb, "MADV_DOFORK"}, {0xc, "MADV_MERGEABLE"}, {0xd, "MADV_UNMERGEABLE"},
		{0xe, "MADV_HUGEPAGE"}, {0xf, "MADV_NOHUGEPAGE"}, {0x10, "MADV_DONTDUMP"}, {0x11, "MADV_DODUMP"},
		{0x12, "MADV_WIPEONFORK"}, {0x13, "MADV_KEEPONFORK"}, {0x14, "MADV_COLD"},
		{0x15, "MADV_PAGEOUT"}, {0x16, "MADV_POPULATE_READ"}, {0x17, "MADV_POPULATE_WRITE"},
		{0x18, "MADV_DONTNEED_LOCKED"}, {0x19, "MADV_COLLAPSE"}, {0x64, "MADV_HWPOISON"}, {0x65, "MADV_SOFT_OFFLINE"},
		{0x66, "MADV_GUARD_INSTALL"}, {0x67, "MADV_GUARD_REMOVE"},
	}}
	setMsync = &Set{"MS_???", []Name{
		{4, "MS_SYNC"}, {1, "MS_ASYNC"}, {2, "MS_INVALIDATE"},
	}}
	setMlockall = &Set{"MCL_???", []Name{
		{1, "MCL_CURRENT"}, {2, "MCL_FUTURE"}, {4, "MCL_ONFAULT"},
	}}
	setMlock = &Set{"MLOCK_???", []Name{
		{1, "MLOCK_ONFAULT"},
	}}
	setMpolModes = &Set{"MPOL_???", []Name{
		{0, "MPOL_DEFAULT"}, {1, "MPOL_PREFERRED"}, {2, "MPOL_BIND"}, {3, "MPOL_INTERLEAVE"}, {4, "MPOL_LOCAL"},
		{5, "MPOL_PREFERRED_MANY"}, {6, "MPOL_WEIGHTED_INTERLEAVE"},
	}}
	setMpolFlags = &Set{"MPOL_F_???", []Name{
		{0x8000, "MPOL_F_STATIC_NODES"}, {0x4000, "MPOL_F_RELATIVE_NODES"}, {0x2000, "MPOL_F_NUMA_BALANCING"},
	}}
	setMbind = &Set{"MPOL_MF_???", []Name{
		{1, "MPOL_MF_STRICT"}, {2, "MPOL_MF_MOVE"}, {4, "MPOL_MF_MOVE_ALL"},
	}}
	setMovePages = &Set{"MPOL_MF_???", []Name{
		{2, "MPOL_MF_MOVE"}, {4, "MPOL_MF_MOVE_ALL"},
	}}
	setGetMempolicy = &Set{"MPOL_F_???", []Name{
		{1, "MPOL_F_NODE"}, {2, "MPOL_F_ADDR"}, {4, "MPOL_F_MEMS_ALLOWED"},
	}}
	setPkeyAccess = &Set{"PKEY_???", []Name{
		{0, "PKEY_UNRESTRICTED"}, {1, "PKEY_DISABLE_ACCESS"}, {2, "PKEY_DISABLE_WRITE"},
		{4, "PKEY_DISABLE_EXECUTE"},
	}}
	setShadowStack = &Set{"SHADOW_STACK_???", []Name{
		{1, "SHADOW_STACK_SET_TOKEN"},
	}}
	setUffd = &Set{"UFFD_???", []Name{
		{1, "UFFD_USER_MODE_ONLY"}, {0x800, "O_NONBLOCK"}, {0x80000, "O_CLOEXEC"},
	}}
)
