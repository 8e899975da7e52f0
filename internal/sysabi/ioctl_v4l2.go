package sysabi

// Video: linux/videodev2.h.

// fraction is a struct v4l2_fract: 1/30.
func fraction(name string) field {
	return part(name, 8, func(p *printer, b, _ []byte) {
		p.uint(le32(b, 0))
		p.str("/")
		p.uint(le32(b, 4))
	}).alignedTo(4)
}

// pixelFormat is four characters, with the format's name as a remark.
func pixelFormat(name string, s *Set) field {
	return part(name, 4, func(p *printer, b, _ []byte) {
		if p.opt.Style == StyleRaw {
			p.hex(le(b))
			return
		}
		p.str("v4l2_fourcc(")
		for i, c := range b[:4] {
			p.sep(i)
			p.char(c, false)
		}
		p.str(")")
		if n := s.Name(le(b)); n != "" {
			p.str(" /* " + n + " */")
		}
	})
}

// char prints a character between quotes.
func (p *printer) char(c byte, blanks bool) {
	const digits = "0123456789abcdef"
	p.str("'")
	switch {
	case c == '\'' || c == '\\':
		p.b = append(p.b, '\\', c)
	case c >= ' ' && c < 0x7f:
		p.b = append(p.b, c)
	case blanks && c >= '\t' && c <= '\r':
		p.b = append(p.b, '\\', "tnvfr"[c-'\t'])
	default:
		p.b = append(p.b, '\\', 'x', digits[c>>4], digits[c&15])
	}
	p.str("'")
}

func v4l2Type(name string) field { return e32(name, setV4L2BufTypes) }

var (
	v4l2Rect       = lazily(func() *cstruct { return structure(s32("left"), s32("top"), u32("width"), u32("height")) })
	v4l2Capability = lazily(func() *cstruct {
		return structure(
			chars("driver", 16), chars("card", 32), chars("bus_info", 32), kernelVersion("version"),
			f32("capabilities", setV4L2DeviceCapabilitiesFlags), f32("device_caps", setV4L2DeviceCapabilitiesFlags).nonzero(), pad(12))
	})
	v4l2Fmtdesc = lazily(func() *cstruct {
		return structure(
			u32("index"), v4l2Type("type"), f32("flags", setV4L2FormatDescriptionFlags), chars("description", 32),
			pixelFormat("pixelformat", setV4L2PixFmts), pad(16))
	})
)

// kernelVersion is KERNEL_VERSION(6, 1, 0).
func kernelVersion(name string) field {
	return part(name, 4, func(p *printer, b, _ []byte) {
		v := le(b)
		p.styled(v, func() {
			p.str("KERNEL_VERSION(")
			p.uint(v >> 16)
			p.str(", ")
			p.uint(v >> 8 & 0xff)
			p.str(", ")
			p.uint(v & 0xff)
			p.str(")")
		})
	})
}

// The forms of a format's union, by the type of buffer.
var (
	v4l2Pix = lazily(func() *cstruct {
		return structure(
			u32("width"), u32("height"), pixelFormat("pixelformat", setV4L2PixFmts), e32("field", setV4L2Fields), u32("bytesperline"),
			u32("sizeimage"), e32("colorspace", setV4L2Colorspaces))
	})
	v4l2Mplane = lazily(func() *cstruct {
		return tight(
			u32("width"), u32("height"), pixelFormat("pixelformat", setV4L2PixFmts), e32("field", setV4L2Fields),
			e32("colorspace", setV4L2Colorspaces),
			sub("plane_fmt", tight(u32("sizeimage"), u32("bytesperline"), pad(12))).upTo(8, "num_planes"), u8("num_planes"))
	})
	v4l2Window = lazily(func() *cstruct {
		return structure(
			sub("w", v4l2Rect()), e32("field", setV4L2Fields), x32("chromakey"),
			toArray("clips", structure(sub("c", v4l2Rect()), al("next")).pick("c"), "clipcount"), u32("clipcount"), al("bitmap"),
			x8("global_alpha").nonzero())
	})
	v4l2VBI = lazily(func() *cstruct {
		return structure(
			u32("sampling_rate"), u32("offset"), u32("samples_per_line"), pixelFormat("sample_format", setV4L2PixFmts),
			s32("start").list(2), u32("count").list(2), f32("flags", setV4L2VbiFlags))
	})
	v4l2Sliced = lazily(func() *cstruct {
		return structure(
			fl("service_set", 2, setV4L2SlicedFlags),
			part("service_lines", 2*48, func(p *printer, b, _ []byte) {
				half := x16("").list(24)
				p.str("[")
				half.show(p, b[:48], b)
				p.str(", ")
				half.show(p, b[48:], b)
				p.str("]")
			}).alignedTo(2), u32("io_size"))
	})
	v4l2SDR = lazily(func() *cstruct {
		return structure(pixelFormat("pixelformat", setV4L2SdrFmts), u32("buffersize").nonzero())
	})
	v4l2Meta = lazily(func() *cstruct { return tight(pixelFormat("dataformat", setV4L2MetaFmts), u32("buffersize")) })

	v4l2Format = lazily(func() *cstruct {
		return structure(append([]field{v4l2Type("type"), {size: 200, align: 8}}, v4l2Formats()...)...)
	})
)

// v4l2Formats is the union of 200 bytes.
func v4l2Formats() []field {
	forms := []struct {
		name  string
		r     *cstruct
		types []uint64
	}{
		{"fmt.pix", v4l2Pix(), []uint64{1, 2}}, {"fmt.pix_mp", v4l2Mplane(), []uint64{9, 10}}, {"fmt.win", v4l2Window(), []uint64{3, 8}},
		{"fmt.vbi", v4l2VBI(), []uint64{4, 5}}, {"fmt.sliced", v4l2Sliced(), []uint64{6, 7}}, {"fmt.sdr", v4l2SDR(), []uint64{11, 12}},
		{"fmt.meta", v4l2Meta(), []uint64{13, 14}},
	}
	var list []field
	for _, f := range forms {
		list = append(list, sub(f.name, f.r).overlaid().only(is("type", f.types...)))
	}
	return list
}

const v4l2Fmt = "fmt.pix fmt.pix_mp fmt.win fmt.vbi fmt.sliced fmt.sdr fmt.meta"

var (
	v4l2Buffers = lazily(func() *cstruct {
		return structure(u32("count"), v4l2Type("type"), e32("memory", setV4L2Memories), pad(8))
	})
	v4l2Export = lazily(func() *cstruct {
		return structure(
			v4l2Type("type"), u32("index"), u32("plane"),
			field{name: "flags", size: 4}.shows(func(p *printer) {
				v := p.get("flags")
				p.styled(v, func() { p.openFlags(v) })
			}), fd32("fd"), pad(44))
	})
	v4l2Framebuffer = lazily(func() *cstruct { return structure(x32("capability"), x32("flags"), al("base"), pad(32)) })
	v4l2Parm        = lazily(func() *cstruct {
		return structure(
			f32("capability", setV4L2StreamingCapabilities), f32("capturemode", setV4L2CaptureModes), f32("outputmode", setV4L2CaptureModes).overlaid(),
			fraction("timeperframe"), x32("extendedmode"), u32("readbuffers"), u32("writebuffers").overlaid(), pad(16))
	})
	v4l2Streamparm = lazily(func() *cstruct {
		return structure(
			v4l2Type("type"),
			sub("parm.capture", v4l2Parm().pick("capability capturemode timeperframe extendedmode readbuffers")).only(is("type", 1)),
			sub("parm.output", v4l2Parm().pick("capability outputmode timeperframe extendedmode writebuffers")).overlaid().only(is("type", 2)),
			field{size: 200, align: 1}.overlaid())
	})
	v4l2Standard = lazily(func() *cstruct {
		return structure(u32("index"), u64("id"), chars("name", 24), fraction("frameperiod"), u32("framelines"), pad(16))
	})
	v4l2Input = lazily(func() *cstruct {
		return structure(
			u32("index"), chars("name", 32), e32("type", setV4L2InputTypes), x32("audioset"), u32("tuner"), f64("std", setV4L2StdIds),
			f32("status", setV4L2InputStatusFlags), f32("capabilities", setV4L2InputCapabilitiesFlags), pad(12))
	})
	v4l2Control = lazily(func() *cstruct { return structure(controlID("id", false), s32("value")) })
	v4l2Tuner   = lazily(func() *cstruct {
		return structure(
			u32("index"), chars("name", 32), e32("type", setV4L2TunerTypes), f32("capability", setV4L2TunerCapabilities),
			u32("rangelow"), u32("rangehigh"), f32("rxsubchans", setV4L2TunerRxsubchanses), e32("audmode", setV4L2TunerAudmodes),
			s32("signal"), s32("afc"), pad(16))
	})
	v4l2QueryCtrl = lazily(func() *cstruct {
		return structure(
			controlID("id", true), controlID("new_id", false).overlaid(), e32("type", setV4L2ControlTypes), chars("name", 32), s32("minimum"), s32("maximum"), s32("step"),
			s32("default_value"), f32("flags", setV4L2ControlFlags), x32("reserved").several(2).nonzero())
	})
	v4l2QueryExt = lazily(func() *cstruct {
		return structure(
			controlID("id", true), controlID("new_id", false).overlaid(), e32("type", setV4L2ControlTypes), chars("name", 32), s64("minimum"), s64("maximum"), u64("step"),
			s64("default_value"), f32("flags", setV4L2ControlFlags), u32("elem_size"), u32("elems"), u32("nr_of_dims"),
			u32("dims").upTo(4, "nr_of_dims"), x32("reserved").several(32).nonzero())
	})
	v4l2Menu = lazily(func() *cstruct {
		return tight(controlID("id", false), u32("index"), chars("name", 32), s64("value").overlaid(), pad(4)).pick("id index name value")
	})
	v4l2Cropcap = lazily(func() *cstruct {
		return structure(v4l2Type("type"), sub("bounds", v4l2Rect()), sub("defrect", v4l2Rect()), fraction("pixelaspect"))
	})
	v4l2Crop = lazily(func() *cstruct { return structure(v4l2Type("type"), sub("c", v4l2Rect())) })

	v4l2Size = lazily(func() *cstruct {
		return structure(
			u32("index"), pixelFormat("pixel_format", setV4L2PixFmts), e32("type", setV4L2FramesizeTypes),
			sub("discrete", structure(u32("width"), u32("height"))).only(is("type", 1)),
			sub("stepwise", structure(u32("min_width"), u32("max_width"), u32("step_width"), u32("min_height"), u32("max_height"), u32("step_height"))).
				overlaid().only(is("type", 3)), pad(8))
	})
	v4l2Interval = lazily(func() *cstruct {
		return structure(
			u32("index"), pixelFormat("pixel_format", setV4L2PixFmts), u32("width"), u32("height"), e32("type", setV4L2FrameintervalTypes),
			fraction("discrete").only(is("type", 1)),
			sub("stepwise", structure(fraction("min"), fraction("max"), fraction("step"))).overlaid().only(is("type", 2, 3)), pad(8))
	})
	v4l2Create = lazily(func() *cstruct {
		return structure(
			u32("index"), u32("count"), e32("memory", setV4L2Memories), sub("format", v4l2Format()), pad(32))
	})
)

// A buffer's time has words of 64 bits or, in requests of 32 bit programs, of 32.
var v4l2Buffer, v4l2Buffer32 = lazily(func() *cstruct { return videoBuffer(8) }), lazily(func() *cstruct { return videoBuffer(4) })

func videoBuffer(word int) *cstruct {
	return structure(
		u32("index"), v4l2Type("type"), u32("bytesused"), field{name: "flags", size: 4}.shows(bufferFlags), u32("field"),
		part("timestamp", 2*word, func(p *printer, b, _ []byte) { p.time(les(b[:word]), les(b[word:]), "tv_usec") }).alignedTo(word),
		pad(16), u32("sequence"), e32("memory", setV4L2Memories),
		al("m.userptr").only(is("memory", 2)), x32("m.offset").overlaid().only(is("memory", 1)), u32("length"), u32("reserved2"), s32("request_fd"))
}

func bufferFlags(p *printer) {
	const tsType, tsSource = 0xe000, 0x70000
	v := p.get("flags")
	if p.opt.Style == StyleRaw {
		p.hex(v)
		return
	}
	if f := v &^ (tsType | tsSource); f != 0 {
		p.flags(setV4L2BufFlags, f)
		p.str("|")
	}
	p.enum(setV4L2BufFlagsTsType, v&tsType)
	p.str("|")
	p.enum(setV4L2BufFlagsTsSrc, v&tsSource)
}

// controlID is the number of a control: its name, or its class and an offset.
// When controls are asked for one after the other there are flags above.
func controlID(name string, next bool) field {
	return part(name, 4, func(p *printer, b, _ []byte) { p.controlID(le(b), next) })
}

func (p *printer) controlID(v uint64, next bool) {
	if p.opt.Style == StyleRaw {
		p.hex(v)
		return
	}
	if f := v & 0xc0000000; next && f != 0 {
		p.flags(setV4L2ControlQueryFlags, f)
		p.str("|")
		v &^= f
	}
	if setV4L2ControlIds.Name(v) != "" {
		p.enum(setV4L2ControlIds, v)
		return
	}
	class := Name{}
	for _, n := range setV4L2ControlClasses.Names {
		if n.V <= v && n.V >= class.V {
			class = n
		}
	}
	if class.S == "" || v-class.V >= 0x10000 {
		p.enum(setV4L2ControlIds, v)
		return
	}
	p.styled(v, func() {
		p.str(class.S + "+")
		p.hex(v - class.V)
	})
}
