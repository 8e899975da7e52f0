package sysabi

import "culprit/internal/event"

var ioctlsV4L2 = lazily(func() []request {
	return []request{
		{names: "VIDIOC_QUERYCAP", args: fills(v4l2Capability())},
		{names: "VIDIOC_ENUM_FMT", args: completes(v4l2Fmtdesc(), "index type", "flags description pixelformat")},
		{names: "VIDIOC_G_FMT", args: completes(v4l2Format(), "type", v4l2Fmt)},
		{names: "VIDIOC_S_FMT VIDIOC_TRY_FMT", args: turnsWhole(v4l2Format().pick("type "+v4l2Fmt), v4l2Format().pick(v4l2Fmt))},
		{names: "VIDIOC_REQBUFS", args: completes(v4l2Buffers(), "type memory count", "=count")},
		{names: "VIDIOC_EXPBUF", args: becomes(v4l2Export(), "type index plane flags", "fd")},
		{names: "VIDIOC_QUERYBUF VIDIOC_QBUF", args: completes(v4l2Buffer(), "type index", videoBufferFilled+" ....")},
		{names: "VIDIOC_DQBUF", args: completes(v4l2Buffer(), "type", "index "+videoBufferFilled+" timestamp ....")},
		{names: "VIDIOC_QUERYBUF_TIME32 VIDIOC_QBUF_TIME32", args: completes(v4l2Buffer32(), "type index", videoBufferFilled+" ....")},
		{names: "VIDIOC_DQBUF_TIME32", args: completes(v4l2Buffer32(), "type", "index "+videoBufferFilled+" timestamp ....")},
		{names: "VIDIOC_G_FBUF", args: fills(v4l2Framebuffer())},
		{names: "VIDIOC_S_FBUF", args: gives(v4l2Framebuffer())},
		{names: "VIDIOC_STREAMON VIDIOC_STREAMOFF", args: gives(refEnum(setV4L2BufTypes))},
		{names: "VIDIOC_G_PARM", args: completes(v4l2Streamparm(), "type", "parm.capture parm.output")},
		{names: "VIDIOC_S_PARM", args: becomes(v4l2Streamparm(), "type parm.capture parm.output", "parm.capture parm.output")},
		{names: "VIDIOC_G_STD", args: fills(refX64())},
		{names: "VIDIOC_S_STD", args: gives(refX64())},
		{names: "VIDIOC_ENUMSTD", args: completes(v4l2Standard(), "index", "name frameperiod framelines")},
		{names: "VIDIOC_ENUMINPUT", args: completes(v4l2Input(), "index", "name type audioset tuner std status capabilities")},
		{names: "VIDIOC_G_CTRL", args: completes(v4l2Control(), "id", "value")},
		{names: "VIDIOC_S_CTRL", args: completes(v4l2Control(), "id value", "=value")},
		{names: "VIDIOC_G_TUNER", args: completes(v4l2Tuner(), "index", v4l2TunerState)},
		{names: "VIDIOC_S_TUNER", args: becomes(v4l2Tuner(), "index "+v4l2TunerState, v4l2TunerState)},
		{names: "VIDIOC_QUERYCTRL", args: completes(v4l2QueryCtrl(), "id", "=new_id type name ... minimum maximum step default_value flags reserved")},
		{names: "VIDIOC_QUERY_EXT_CTRL", args: completes(v4l2QueryExt(), "id",
			"=new_id type name ... minimum maximum step default_value flags elem_size elems nr_of_dims dims reserved")},
		{names: "VIDIOC_G_INPUT", args: fills(refU32())},
		{names: "VIDIOC_S_INPUT", args: gives(refU32())},
		{names: "VIDIOC_CROPCAP", args: completes(v4l2Cropcap(), "type", "bounds defrect pixelaspect")},
		{names: "VIDIOC_G_CROP", args: completes(v4l2Crop(), "type", "c")},
		{names: "VIDIOC_S_CROP", args: gives(v4l2Crop())},
		{names: "VIDIOC_G_EXT_CTRLS", args: extControls(true)},
		{names: "VIDIOC_S_EXT_CTRLS VIDIOC_TRY_EXT_CTRLS", args: extControls(false)},
		{names: "VIDIOC_ENUM_FRAMESIZES", args: completes(v4l2Size(), "index pixel_format", "type discrete stepwise")},
		{names: "VIDIOC_ENUM_FRAMEINTERVALS", args: completes(v4l2Interval(), "index pixel_format width height", "type discrete stepwise")},
		{names: "VIDIOC_CREATE_BUFS", args: createBuffers(), remark: createdBuffers},
		{names: "VIDIOC_QUERYMENU", args: becomes(v4l2Menu(), "id index", "name value")},
	}
})

const (
	videoBufferFilled = "memory m.offset m.userptr length bytesused flags"
	v4l2TunerState    = "name type capability rangelow rangehigh rxsubchans audmode signal afc"
)

// createBuffers is copied in both phases: the kernel tells the index and count,
// which are a remark of the result.
var createBuffers = lazily(func() []Arg {
	return ioctlWith(recordArg(v4l2Create(), in, recordAt(v4l2Create().pick("count memory format"))).
		twice(func(p *printer, v *Value) { p.fetch(v.Uint, p.bytesOf(v4l2Create())) }))
})

func createdBuffers(p *printer) {
	p.at = event.Leave
	if b := p.fetch(p.s.Args[2], p.bytesOf(v4l2Create())); b != nil {
		p.record(v4l2Create().pick("index count"), b)
	}
}

var (
	extControl = lazily(func() *cstruct {
		return tight(
			e32("id", setV4L2ControlIds), u32("size"), pad(4),
			field{name: "string", size: 8}.shows(func(p *printer) {
				addr := p.get("string")
				if p.word() == 4 {
					addr = uint64(uint32(addr))
				}
				p.bytesAt(addr, p.get("size"))
			}).only(isNot("size", 0)),
			s32("value").overlaid().only(is("size", 0)), s64("value64").overlaid().only(is("size", 0)))
	})
	extControlsHead = lazily(func() *cstruct {
		return structure(
			e32("ctrl_class", setV4L2ControlClasses), u32("count"), u32("error_idx"), s32("request_fd"), u32("reserved"), al("controls"))
	})
)

// extControls has an array of controls, which is looked at when the call failed
// too: the error's index is into it.
func extControls(get bool) []Arg {
	r := extControlsHead()
	controls := func(p *printer, b []byte, addr uint64) {
		p.str("controls=")
		outer := p.in
		p.in = place{r: r, b: b, base: addr}
		failed := p.failed
		p.failed = false
		p.records(extControl(), p.get("controls"), p.get("count"), 0)
		p.in, p.failed = outer, failed
	}
	return ioctlWith(recordArg(r, in, func(p *printer, v *Value) {
		b := p.fetch(v.Uint, p.bytesOf(r))
		if b == nil {
			p.ptr(v.Uint)
			return
		}
		p.str("{")
		p.membersAt(r.pick("ctrl_class count"), b, v.Uint)
		switch {
		case le32(b, 4) == 0:
			p.str("}")
		case !get:
			p.str(", ")
			p.holes = false
			if controls(p, b, v.Uint); p.holes {
				p.str("}")
			}
		}
	}).twice(func(p *printer, v *Value) {
		was, now := p.fetchAt(v.Uint, p.bytesOf(r), event.Enter), p.fetchAt(v.Uint, p.bytesOf(r), event.Leave)
		switch {
		case was == nil || le32(was, 4) == 0 || !get && p.hasHoles(func() { controls(p, was, v.Uint) }):
			return
		case now == nil:
			p.str("}")
			return
		case get:
			p.str(", ")
		default:
			p.str("} => {")
		}
		controls(p, now, v.Uint)
		if p.failed {
			p.str(", error_idx=")
			p.uint(le32(now, 8))
		}
		p.str("}")
	}))
}
