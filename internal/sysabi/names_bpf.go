// Constants of BPF programs (linux/filter.h, linux/bpf.h).

package sysabi

var (
	setBpfClass = &Set{"BPF_???", []Name{
		{0, "BPF_LD"}, {1, "BPF_LDX"}, {2, "BPF_ST"}, {3, "BPF_STX"}, {4, "BPF_ALU"}, {5, "BPF_JMP"}, {6, "BPF_RET"},
		{7, "BPF_MISC"},
	}}
	setBpfMiscop = &Set{"BPF_???", []Name{
		{0, "BPF_TAX"}, {0x80, "BPF_TXA"},
	}}
	setBpfMode = &Set{"BPF_???", []Name{
		{0, "BPF_IMM"}, {0x20, "BPF_ABS"}, {0x40, "BPF_IND"}, {0x60, "BPF_MEM"}, {0x80, "BPF_LEN"}, {0xa0, "BPF_MSH"},
		{0xc0, "BPF_XADD"},
	}}
	setBpfOpAlu = &Set{"BPF_???", []Name{
		{0, "BPF_ADD"}, {0x10, "BPF_SUB"}, {0x20, "BPF_MUL"}, {0x30, "BPF_DIV"}, {0x40, "BPF_OR"}, {0x50, "BPF_AND"},
		{0x60, "BPF_LSH"}, {0x70, "BPF_RSH"}, {0x80, "BPF_NEG"}, {0x90, "BPF_MOD"}, {0xa0, "BPF_XOR"},
		{0xb0, "BPF_MOV"}, {0xc0, "BPF_ARSH"}, {0xd0, "BPF_END"},
	}}
	setBpfOpJmp = &Set{"BPF_???", []Name{
		{0, "BPF_JA"}, {0x10, "BPF_JEQ"}, {0x20, "BPF_JGT"}, {0x30, "BPF_JGE"}, {0x40, "BPF_JSET"}, {0x50, "BPF_JNE"},
		{0x60, "BPF_JSGT"}, {0x70, "BPF_JSGE"}, {0x80, "BPF_CALL"}, {0x90, "BPF_EXIT"}, {0xa0, "BPF_JLT"},
		{0xb0, "BPF_JLE"}, {0xc0, "BPF_JSLT"}, {0xd0, "BPF_JSLE"}, {0xe0, "BPF_JCOND"},
	}}
	setBpfRval = &Set{"BPF_???", []Name{
		{0, "BPF_K"}, {8, "BPF_X"}, {0x10, "BPF_A"},
	}}
	setBpfSize = &Set{"BPF_???", []Name{
		{0, "BPF_W"}, {8, "BPF_H"}, {0x10, "BPF_B"}, {0x18, "BPF_DW"},
	}}
	setBpfSrc = &Set{"BPF_???", []Name{
		{0, "BPF_K"}, {8, "BPF_X"},
	}}
	setEbpfClass = &Set{"BPF_???", []Name{
		{0, "BPF_LD"}, {1, "BPF_LDX"}, {2, "BPF_ST"}, {3, "BPF_STX"}, {4, "BPF_ALU"}, {5, "BPF_JMP"}, {6, "BPF_JMP32"},
		{7, "BPF_ALU64"},
	}}
	setEbpfMode = &Set{"BPF_???", []Name{
		{0, "BPF_IMM"}, {0x20, "BPF_ABS"}, {0x40, "BPF_IND"}, {0x60, "BPF_MEM"}, {0x80, "BPF_MEMSX"},
		{0xc0, "BPF_ATOMIC"},
	}}
)
