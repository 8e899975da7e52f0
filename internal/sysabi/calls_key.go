package sysabi

// Keys (keyctl(2)).
var callsKey = lazily(func() []Call {
	return []Call{
		def("add_key", Other, str("type"), str("description"), bytesIn("payload", 3), size("plen"), keySerial("keyring")),
		def("request_key", Other, str("type"), str("description"), str("callout_info"), keySerial("dest_keyring")),
		def("keyctl", Other, keyOp, hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")).varies(keyctlArgs),
	}
})

var keyOp = enum("operation", setKeyctl)

func keyctl(a ...Arg) []Arg { return append([]Arg{keyOp}, a...) }

var keyctlOther = lazily(func() []Arg { return keyctl(hex("arg2"), hex("arg3"), hex("arg4"), hex("arg5")) })

// keyctls are the operations by their numbers.
var keyctls = lazily(func() [][]Arg {
	return [][]Arg{
		0:  keyctl(keySerial("key"), num("create")),                                                                          // KEYCTL_GET_KEYRING_ID
		1:  keyctl(str("name")),                                                                                              // KEYCTL_JOIN_SESSION_KEYRING
		2:  keyctl(keySerial("key"), bytesIn("payload", 3), size("plen")),                                                    // KEYCTL_UPDATE
		3:  keyctlKey(),                                                                                                      // KEYCTL_REVOKE
		4:  keyctl(keySerial("key"), idArg("uid"), idArg("gid")),                                                             // KEYCTL_CHOWN
		5:  keyctl(keySerial("key"), flags("perms", setKeyPerms)),                                                            // KEYCTL_SETPERM
		6:  keyctlText(),                                                                                                     // KEYCTL_DESCRIBE
		7:  keyctlKey(),                                                                                                      // KEYCTL_CLEAR
		8:  keyctl(keySerial("key"), keySerial("keyring")),                                                                   // KEYCTL_LINK
		9:  keyctl(keySerial("key"), keySerial("keyring")),                                                                   // KEYCTL_UNLINK
		10: keyctl(keySerial("keyring"), str("type"), str("description"), keySerial("dest_keyring")),                         // KEYCTL_SEARCH
		11: keyctl(keySerial("key"), keyBytes(false), size("buflen")),                                                        // KEYCTL_READ
		12: keyctl(keySerial("key"), bytesIn("payload", 3), size("plen"), keySerial("keyring")),                              // KEYCTL_INSTANTIATE
		13: keyctl(keySerial("key"), unum("timeout"), keySerial("keyring")),                                                  // KEYCTL_NEGATE
		14: keyctl(number("reqkey_defl", func(p *printer, v uint64) { p.decimal(setKeyReqkeys, v, setKeyReqkeys.Unknown) })), // KEYCTL_SET_REQKEY_KEYRING
		15: keyctl(keySerial("key"), unum("timeout")),                                                                        // KEYCTL_SET_TIMEOUT
		16: keyctlKey(),                                                                                                      // KEYCTL_ASSUME_AUTHORITY
		17: keyctlText(),                                                                                                     // KEYCTL_GET_SECURITY
		18: keyctl(),                                                                                                         // KEYCTL_SESSION_TO_PARENT
		19: keyctl(keySerial("key"), unum("timeout"), number("error", showErrno), keySerial("keyring")),                      // KEYCTL_REJECT
		20: keyctl(keySerial("key"), localIOV("payload", in, 3), size("plen"), keySerial("keyring")),                         // KEYCTL_INSTANTIATE_IOV
		21: keyctlKey(),                                                                                                      // KEYCTL_INVALIDATE
		22: keyctl(idArg("uid"), keySerial("keyring")),                                                                       // KEYCTL_GET_PERSISTENT
		23: keyctl(given("dh_params", dhParams()), keyBytes(false).at(2), size("buflen").at(3), kdfArg().at(4)),              // KEYCTL_DH_COMPUTE
		24: keyctl(keySerial("key"), hex("reserved"), str("params"), filled("info", pkeyQuery())),                            // KEYCTL_PKEY_QUERY
		25: keyctlCrypt(), 26: keyctlCrypt(), 27: keyctlCrypt(),                                                              // KEYCTL_PKEY_ENCRYPT, DECRYPT, SIGN
		28: keyctl(pkeyParams("in2_len"), str("info"), pkeyBytes("in", in, 4), pkeyBytes("in2", in, 8)),              // KEYCTL_PKEY_VERIFY
		29: keyctl(keySerial("keyring"), str("type"), str("restriction")),                                            // KEYCTL_RESTRICT_KEYRING
		30: keyctl(keySerial("key"), keySerial("from_keyring"), keySerial("to_keyring"), flags("flags", setKeyMove)), // KEYCTL_MOVE
		31: keyctl(keyCaps(), size("buflen")),                                                                        // KEYCTL_CAPABILITIES
	}
})

var (
	keyctlKey   = lazily(func() []Arg { return keyctl(keySerial("key")) })
	keyctlText  = lazily(func() []Arg { return keyctl(keySerial("key"), keyBytes(true), size("buflen")) })
	keyctlCrypt = lazily(func() []Arg {
		return keyctl(pkeyParams("out_len"), str("info"), pkeyBytes("in", in, 4), pkeyBytes("out", out, 8))
	})
)

func keyctlArgs(r *[6]uint64) []Arg {
	if op := uint32(r[0]); op < uint32(len(keyctls())) {
		return keyctls()[op]
	}
	return keyctlOther()
}

// keySerial is the number of a key or one of the special keyrings.
func keySerial(name string) Arg { return number(name, showKey) }

func showKey(p *printer, v uint64) { p.decimal(setKeySpec, v, "") }

// decimal prints an enum of 32 bits whose numbers are decimal and signed.
func (p *printer) decimal(s *Set, v uint64, unknown string) {
	n := int64(int32(v))
	switch name := s.Name(uint64(n)); {
	case name != "":
		p.constant(name, func() { p.int(n) })
	default:
		p.int(n)
		if unknown != "" && p.opt.Style != StyleRaw {
			p.str(" /* " + unknown + " */")
		}
	}
}

func showErrno(p *printer, v uint64) {
	n := uint64(uint32(v))
	if n > 0 && n < uint64(len(errnos)) && errnos[n].name != "" {
		p.constant(errnos[n].name, func() { p.uint(n) })
	} else {
		p.uint(n)
	}
}

// keyBytes is a buffer of which the result says the length; a text's NUL isn't
// printed.
func keyBytes(text bool) Arg {
	return shown("buffer", out, 1, func(p *printer, v *Value) {
		room := p.size(v, uint8(v.arg.reg))
		n := room
		if r := p.s.Ret; r >= 0 && uint64(r) < room {
			n = uint64(r)
		}
		if text {
			p.bytesTrimmed(v.Uint, n)
		} else {
			p.bytesAt(v.Uint, n)
		}
	}).at(2).sized(3)
}

// bytesTrimmed is bytesAt without a NUL at the end.
func (p *printer) bytesTrimmed(addr, n uint64) {
	p.bytesWith(addr, n, func(b []byte, n, max int) {
		if len(b) > 0 && len(b) == n && b[n-1] == 0 && p.opt.Escape != EscapeAll {
			b, n = b[:n-1], n-1
		}
		p.quote(b, n, max)
	})
}

var (
	keyField = func(name string) field { return part(name, 4, func(p *printer, b, _ []byte) { showKey(p, le(b)) }) }
	dhParams = lazily(func() *cstruct { return newRecord(keyField("private"), keyField("prime"), keyField("base")) })

	// The kernel doesn't touch otherinfo when it has no length.
	kdfParams = lazily(func() *cstruct {
		return newRecord(
			part("hashname", 0, func(p *printer, b, _ []byte) { p.strAt(le(b)) }),
			part("otherinfo", 0, func(p *printer, b, all []byte) {
				if n := le32(all, 2*p.word()); n != 0 {
					p.bytesAt(le(b), n)
				} else {
					p.ptr(le(b))
				}
			}),
			u32("otherinfolen"), x32("__spare").spare(8),
		)
	})
	kdfArg = lazily(func() Arg { return given("kdf_params", kdfParams()) })

	pkeyQuery = lazily(func() *cstruct {
		return newRecord(f32("supported_ops", setKeyPkeyOps), u32("key_size"), u16("max_data_size"), u16("max_sig_size"),
			u16("max_enc_size"), u16("max_dec_size"), x32("__spare").spare(10))
	})
)

// pkeyParams is a struct keyctl_pkey_params, whose third field has two names.
func pkeyParams(third string) Arg {
	return given("params", newRecord(keyField("key_id"), u32("in_len"), u32(third), x32("__spare").spare(7)))
}

// pkeyBytes are bytes whose length stands in the parameters at offset at.
const pkeyParamsSize = 40

func pkeyBytes(name string, d dir, at uint64) Arg {
	return shown(name, d, 1, func(p *printer, v *Value) {
		if b := p.fetchAt(p.size(v, 1), pkeyParamsSize, 0); b != nil {
			p.bytesAt(v.Uint, le32(b, int(at)))
		} else {
			p.ptr(v.Uint)
		}
	})
}

// keyCaps is an array of bytes with flags of their own.
var keyCaps = lazily(func() Arg {
	return shown("buffer", out, 1, func(p *printer, v *Value) {
		i := 0
		p.array(v.Uint, min(p.size(v, 2), uint64(p.s.Ret)), 1, func(b []byte) {
			switch i++; i {
			case 1:
				p.flags(setKeyCaps0, uint64(b[0]))
			case 2:
				p.flags(setKeyCaps1, uint64(b[0]))
			default:
				p.hex(uint64(b[0]))
			}
		})
	}).sized(2)
})

// Constants of keyctl(2).
var (
	setKeySpec = &Set{"", []Name{
		{0xffffffffffffffff, "KEY_SPEC_THREAD_KEYRING"}, {0xfffffffffffffffe, "KEY_SPEC_PROCESS_KEYRING"},
		{0xfffffffffffffffd, "KEY_SPEC_SESSION_KEYRING"}, {0xfffffffffffffffc, "KEY_SPEC_USER_KEYRING"},
		{0xfffffffffffffffb, "KEY_SPEC_USER_SESSION_KEYRING"}, {0xfffffffffffffffa, "KEY_SPEC_GROUP_KEYRING"},
		{0xfffffffffffffff9, "KEY_SPEC_REQKEY_AUTH_KEY"}, {0xfffffffffffffff8, "KEY_SPEC_REQUESTOR_KEYRING"},
	}}
	setKeyReqkeys = &Set{"KEY_REQKEY_DEFL_???", []Name{
		{0xffffffffffffffff, "KEY_REQKEY_DEFL_NO_CHANGE"}, {0, "KEY_REQKEY_DEFL_DEFAULT"},
		{1, "KEY_REQKEY_DEFL_THREAD_KEYRING"}, {2, "KEY_REQKEY_DEFL_PROCESS_KEYRING"},
		{3, "KEY_REQKEY_DEFL_SESSION_KEYRING"}, {4, "KEY_REQKEY_DEFL_USER_KEYRING"},
		{5, "KEY_REQKEY_DEFL_USER_SESSION_KEYRING"}, {6, "KEY_REQKEY_DEFL_GROUP_KEYRING"},
		{7, "KEY_REQKEY_DEFL_REQUESTOR_KEYRING"},
	}}
	setKeyPerms = &Set{"KEY_???", []Name{
		{0x1000000, "KEY_POS_VIEW"}, {0x2000000, "KEY_POS_READ"}, {0x4000000, "KEY_POS_WRITE"},
		{0x8000000, "KEY_POS_SEARCH"}, {0x10000000, "KEY_POS_LINK"}, {0x20000000, "KEY_POS_SETATTR"},
		{0x3f000000, "KEY_POS_ALL"}, {0x10000, "KEY_USR_VIEW"}, {0x20000, "KEY_USR_READ"}, {0x40000, "KEY_USR_WRITE"},
		{0x80000, "KEY_USR_SEARCH"}, {0x100000, "KEY_USR_LINK"}, {0x200000, "KEY_USR_SETATTR"},
		{0x3f0000, "KEY_USR_ALL"}, {0x100, "KEY_GRP_VIEW"}, {0x200, "KEY_GRP_READ"}, {0x400, "KEY_GRP_WRITE"},
		{0x800, "KEY_GRP_SEARCH"}, {0x1000, "KEY_GRP_LINK"}, {0x2000, "KEY_GRP_SETATTR"}, {0x3f00, "KEY_GRP_ALL"},
		{1, "KEY_OTH_VIEW"}, {2, "KEY_OTH_READ"}, {4, "KEY_OTH_WRITE"}, {8, "KEY_OTH_SEARCH"}, {0x10, "KEY_OTH_LINK"},
		{0x20, "KEY_OTH_SETATTR"}, {0x3f, "KEY_OTH_ALL"},
	}}
	setKeyPkeyOps = &Set{"KEYCTL_SUPPORTS_???", []Name{
		{1, "KEYCTL_SUPPORTS_ENCRYPT"}, {2, "KEYCTL_SUPPORTS_DECRYPT"}, {4, "KEYCTL_SUPPORTS_SIGN"},
		{8, "KEYCTL_SUPPORTS_VERIFY"},
	}}
	setKeyMove = &Set{"KEYCTL_MOVE_???", []Name{
		{1, "KEYCTL_MOVE_EXCL"},
	}}
	setKeyCaps0 = &Set{"KEYCTL_CAPS0_???", []Name{
		{1, "KEYCTL_CAPS0_CAPABILITIES"}, {2, "KEYCTL_CAPS0_PERSISTENT_KEYRINGS"}, {4, "KEYCTL_CAPS0_DIFFIE_HELLMAN"},
		{8, "KEYCTL_CAPS0_PUBLIC_KEY"}, {0x10, "KEYCTL_CAPS0_BIG_KEY"}, {0x20, "KEYCTL_CAPS0_INVALIDATE"},
		{0x40, "KEYCTL_CAPS0_RESTRICT_KEYRING"}, {0x80, "KEYCTL_CAPS0_MOVE"},
	}}
	setKeyCaps1 = &Set{"KEYCTL_CAPS1_???", []Name{
		{1, "KEYCTL_CAPS1_NS_KEYRING_NAME"}, {2, "KEYCTL_CAPS1_NS_KEY_TAG"}, {4, "KEYCTL_CAPS1_NOTIFICATIONS"},
	}}
)
