package sysabi

import "culprit/internal/event"

// SCSI: scsi/sg.h, linux/bsg.h.

var (
	scsiID = lazily(func() *cstruct {
		return structure(
			s32("host_no"), s32("channel"), x32("scsi_id"), s32("lun"), x32("scsi_type"), s16("h_cmd_per_lun"), s16("d_queue_depth"), pad(8))
	})
	scsiRequest = lazily(func() *cstruct {
		return structure(
			s8("req_state"), s8("orphan"), s8("sg_io_owned"), s8("problem"), s32("pack_id"), al("usr_ptr"), u32("duration"), pad(4))
	})
	sgReset = lazily(func() *cstruct {
		return values(part("v", 4, func(p *printer, b, _ []byte) {
			const noEscalate = 0x100
			v := le(b)
			if v&noEscalate != 0 {
				p.enum(setSGScsiReset, noEscalate)
				p.str("|")
			}
			p.enum(setSGScsiReset, v&^noEscalate)
		}))
	})
)

// sgV3 is struct sg_io_hdr, sgV4 struct sg_io_v4: commands to a device, with
// data to it and from it.
var (
	sgV3 = lazily(func() *cstruct {
		return structure(
			pad(4), e32("dxfer_direction", setSGIoDxferDirection), u8("cmd_len"), u8("mx_sb_len"), u16("iovec_count"), u32("dxfer_len"),
			al("dxferp"), sgBytes("cmdp", "cmd_len", 0), sgBytes("sbp", "sb_len_wr", 0), u32("timeout"), f32("flags", setSGIoFlags),
			pad(4), al("usr_ptr"), x8("status"), x8("masked_status"), x8("msg_status"), u8("sb_len_wr"), x16("host_status"),
			x16("driver_status"), s32("resid"), u32("duration"), f32("info", setSGIoInfo))
	})
	sgV4 = lazily(func() *cstruct {
		return structure(
			pad(4), e32("protocol", setBSGProtocol), e32("subprotocol", setBSGSubprotocol), u32("request_len"),
			sgBytes("request", "request_len", 8), x64("request_tag"), u32("request_attr"), u32("request_priority"), u32("request_extra"),
			u32("max_response_len"), sgBytes("response", "response_len", 8), u32("dout_iovec_count"), u32("dout_xfer_len"),
			u32("din_iovec_count"), u32("din_xfer_len"), a64("dout_xferp").shows(func(p *printer) {
				p.sgData(p.get("dout_xferp"), p.get("dout_xfer_len"), p.get("dout_iovec_count"))
			}), a64("din_xferp").shows(func(p *printer) {
				p.sgData(p.get("din_xferp"), resting(p.get("din_xfer_len"), p.get("din_resid")), p.get("din_iovec_count"))
			}), u32("timeout"), f32("flags", setBSGFlags), x64("usr_ptr"), pad(4), x32("driver_status"), x32("transport_status"),
			x32("device_status"), u32("retry_delay"), f32("info", setSGIoInfo), u32("duration"), u32("response_len"), s32("din_resid"),
			s32("dout_resid"), x64("generated_tag"), pad(8))
	})
)

const (
	sgV4Given = "protocol subprotocol request_len request request_tag request_attr request_priority request_extra max_response_len " +
		"dout_iovec_count dout_xfer_len din_iovec_count din_xfer_len dout_xferp timeout flags usr_ptr"
	sgV4Filled = "response_len response din_xferp driver_status transport_status device_status retry_delay info duration response_len " +
		"din_resid dout_resid generated_tag"
	sgV3Given  = "dxfer_direction cmd_len cmdp mx_sb_len iovec_count dxfer_len timeout flags"
	sgV3Filled = "status masked_status msg_status sb_len_wr sbp host_status driver_status resid duration info"
)

// sgBytes is a pointer to as many bytes as another member says.
func sgBytes(name, count string, size int) field {
	return field{name: name, size: size}.shows(func(p *printer) { p.hexAt(p.get(name), p.get(count)) })
}

// resting is what was transferred, when less than there was room for.
func resting(n, resid uint64) uint64 {
	if left := int32(resid); left > 0 && uint64(left) <= n {
		n -= uint64(left)
	}
	return n
}

// sgData prints n bytes, or the buffers of a vector.
func (p *printer) sgData(addr, n, vector uint64) {
	if vector == 0 {
		p.hexAt(addr, n)
		return
	}
	word := uint64(p.word())
	p.array(addr, vector, int(2*word), func(b []byte) {
		base, size := long64(b, 0, word), long64(b, 1, word)
		p.str("{iov_base=")
		take := min(size, n)
		n -= take
		p.bytesAt(base, take)
		p.str(", iov_len=")
		p.uint(size)
		p.str("}")
	})
}

// sgIO is SG_IO's argument: its first member says which of the two it is.
func sgIO() []Arg {
	const v3, v4 = 'S', 'Q'
	head := func(p *printer, v *Value, r *cstruct, name string, c byte, names string) {
		p.str("{" + name + "='" + string(c) + "', ")
		start := len(p.b)
		b := p.fetch(v.Uint, p.bytesOf(r))
		if b == nil {
			p.ptr(v.Uint + 4)
			return
		}
		p.str("{")
		p.membersAt(r.pick(names), b, v.Uint)
		p.b = append(p.b[:start], p.b[start+1:]...)
	}
	return ioctlWith(shown("argp", in, 4, func(p *printer, v *Value) {
		id := p.fetch(v.Uint, 4)
		if id == nil {
			p.ptr(v.Uint)
			return
		}
		switch le(id) {
		case v3:
			head(p, v, sgV3(), "interface_id", v3, sgV3Given)
			if b := p.fetch(v.Uint, p.bytesOf(sgV3())); b != nil {
				outer := p.in
				p.in = place{r: sgV3(), b: b, base: v.Uint}
				if d := int32(p.get("dxfer_direction")); d == -2 || d == -4 { // SG_DXFER_TO_DEV, SG_DXFER_TO_FROM_DEV
					p.str(", dxferp=")
					p.sgData(p.get("dxferp"), p.get("dxfer_len"), p.get("iovec_count"))
				}
				p.in = outer
			}
		case v4:
			head(p, v, sgV4(), "guard", v4, sgV4Given)
		default:
			p.str("[")
			p.uint(le(id))
			p.str("]")
		}
	}).twice(func(p *printer, v *Value) {
		id := p.fetchAt(v.Uint, 4, event.Enter)
		if id == nil {
			return
		}
		failed := p.failed
		p.failed = false // what there is is looked at anyway
		defer func() { p.failed = failed }()
		switch le(id) {
		case v3:
			p.sgAnswer(v, sgV3(), v3, sgV3Filled, "dxferp")
		case v4:
			p.sgAnswer(v, sgV4(), v4, sgV4Filled, "")
		}
	}))
}

func (p *printer) sgAnswer(v *Value, r *cstruct, id uint64, names, data string) {
	defer p.str("}")
	was := p.fetchAt(v.Uint, p.bytesOf(r), event.Enter)
	if was == nil {
		return
	}
	now := p.fetch(v.Uint, p.bytesOf(r))
	if now == nil {
		return
	}
	if le32(now, 0) != id {
		p.str(" => ")
		if id == 'S' {
			p.str("interface_id=")
		} else {
			p.str("guard=")
		}
		p.uint(le32(now, 0))
		return
	}
	if data != "" {
		outer := p.in
		p.in = place{r: r, b: now, base: v.Uint}
		n := resting(p.get("dxfer_len"), p.get("resid"))
		switch d := int32(p.get("dxfer_direction")); {
		case d == -3: // SG_DXFER_FROM_DEV
			p.str(", dxferp=")
			p.sgData(p.get("dxferp"), n, p.get("iovec_count"))
		case d == -4 && n > 0: // SG_DXFER_TO_FROM_DEV
			p.str(" => ")
			p.sgData(p.get("dxferp"), n, p.get("iovec_count"))
		}
		p.in = outer
	}
	p.moreAt(r.pick(names), now, v.Uint)
}

var ioctlsSCSI = lazily(func() []request {
	return []request{
		{names: "SG_IO", args: sgIO()},
		{names: "SG_GET_SCSI_ID", args: fills(scsiID())},
		{names: "SG_GET_REQUEST_TABLE", args: fills(scsiRequest())},
		{names: "SG_SCSI_RESET", args: gives(sgReset())},
		{names: "SG_NEXT_CMD_LEN SG_SET_COMMAND_Q SG_SET_DEBUG SG_SET_FORCE_LOW_DMA SG_SET_FORCE_PACK_ID SG_SET_KEEP_ORPHAN " +
			"SG_SET_RESERVED_SIZE SG_SET_TIMEOUT", args: gives(refInt())},
		{names: "SG_EMULATED_HOST SG_GET_ACCESS_COUNT SG_GET_COMMAND_Q SG_GET_KEEP_ORPHAN SG_GET_LOW_DMA SG_GET_NUM_WAITING SG_GET_PACK_ID " +
			"SG_GET_RESERVED_SIZE SG_GET_SG_TABLESIZE SG_GET_TRANSFORM SG_GET_VERSION_NUM", args: fills(refInt())},
		{names: "SG_SET_TRANSFORM", args: ioctlWith(unhex("argp"))},
		{names: "SG_GET_TIMEOUT", args: ioctlNone()},
	}
})
