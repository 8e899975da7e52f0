package sysabi

// Virtual machines: linux/kvm.h. The registers are those of x86.

var (
	kvmRegion = lazily(func() *cstruct {
		return structure(
			u32("slot"), f32("flags", setKVMMemFlags), x64("guest_phys_addr"), u64("memory_size"), x64("userspace_addr"))
	})
	kvmRegs = lazily(func() *cstruct {
		return structure(
			x64("rax"), gap, x64("rbx").verbose(), x64("rcx").verbose(), x64("rdx").verbose(), x64("rsi").verbose(), x64("rdi").verbose(),
			x64("rsp"), x64("rbp"), gap, x64("r8").verbose(), x64("r9").verbose(), x64("r10").verbose(), x64("r11").verbose(),
			x64("r12").verbose(), x64("r13").verbose(), x64("r14").verbose(), x64("r15").verbose(), x64("rip"), x64("rflags"))
	})
	kvmSegment = lazily(func() *cstruct {
		return structure(
			x64("base"), u32("limit"), u16("selector"), u8("type"), u8("present"), u8("dpl"), u8("db"), u8("s"), u8("l"), u8("g"),
			u8("avl"), pad(2))
	})
	kvmTable = lazily(func() *cstruct { return structure(x64("base"), u16("limit"), pad(6)) })
	kvmSregs = lazily(func() *cstruct {
		return structure(
			sub("cs", kvmSegment()), abbreviation, sub("ds", kvmSegment()), sub("es", kvmSegment()), sub("fs", kvmSegment()),
			sub("gs", kvmSegment()), sub("ss", kvmSegment()), sub("tr", kvmSegment()), sub("ldt", kvmSegment()), sub("gdt", kvmTable()),
			sub("idt", kvmTable()), u64("cr0"), u64("cr2"), u64("cr3"), u64("cr4"), u64("cr8"), u64("efer"), x64("apic_base"),
			x64("interrupt_bitmap").list(4))
	})
	kvmCpuid = lazily(func() *cstruct {
		return structure(u32("nent"), pad(4), tail("entries", func(p *printer) {
			switch n := p.get("nent"); {
			case !p.abbreviated():
				p.records(kvmCpuidEntry(), p.here(), n, 0)
			case n > 0:
				p.str("[...]")
			default:
				p.str("[]")
			}
		}))
	})
	kvmCpuidEntry = lazily(func() *cstruct {
		return structure(
			x32("function"), x32("index"), f32("flags", setKVMCpuidFlags), x32("eax"), x32("ebx"), x32("ecx"), x32("edx"), pad(12))
	})
)

var ioctlsKVM = lazily(func() []request {
	return []request{
		{names: "KVM_CREATE_VM", args: ioctlHex(), ret: retFD},
		{names: "KVM_CREATE_VCPU", args: ioctlWith(unum("argp")), ret: retFD},
		{names: "KVM_SET_USER_MEMORY_REGION", args: gives(kvmRegion())},
		{names: "KVM_GET_REGS", args: fills(kvmRegs()), x86: true},
		{names: "KVM_SET_REGS", args: gives(kvmRegs()), x86: true},
		{names: "KVM_GET_SREGS", args: fills(kvmSregs()), x86: true},
		{names: "KVM_SET_SREGS", args: gives(kvmSregs()), x86: true},
		{names: "KVM_GET_SUPPORTED_CPUID KVM_GET_EMULATED_CPUID", args: fills(kvmCpuid())},
		{names: "KVM_SET_CPUID2", args: gives(kvmCpuid())},
		{names: "KVM_CHECK_EXTENSION", args: ioctlWith(enum("argp", setKVMCap).wide())},
	}
})
