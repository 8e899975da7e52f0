# A 32-bit program: access("/touch/compat", 0), then exit(5).
.globl _start
_start:
	movl $33, %eax
	movl $name, %ebx
	xorl %ecx, %ecx
	int $0x80
	movl $1, %eax
	movl $5, %ebx
	int $0x80
name:	.asciz "/touch/compat"
