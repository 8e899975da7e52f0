package sysabi

// Clocks (rtc(4), linux/ptp_clock.h), GPIO lines (linux/gpio.h) and
// ioctl_userfaultfd(2).

var (
	rtcTime = lazily(func() *cstruct {
		return structure(
			s32("tm_sec"), s32("tm_min"), s32("tm_hour"), s32("tm_mday"), s32("tm_mon"), s32("tm_year"), abbreviation,
			s32("tm_wday"), s32("tm_yday"), s32("tm_isdst"))
	})
	rtcAlarm = lazily(func() *cstruct { return structure(u8("enabled"), u8("pending"), pad(2), sub("time", rtcTime())) })
	rtcPLL   = lazily(func() *cstruct {
		return structure(
			s32("pll_ctrl"), s32("pll_value"), s32("pll_max"), s32("pll_min"), s32("pll_posmult"), s32("pll_negmult"), sl("pll_clock"))
	})
	rtcParam = lazily(func() *cstruct {
		return structure(
			en("param", 8, setRTCParams),
			field{name: "uvalue", size: 8}.shows(func(p *printer) {
				switch v := p.get("uvalue"); p.get("param") {
				case 0:
					p.flags(setRTCFeatures, v)
				case 2:
					p.enum(setRTCBackupSwitchModes, v)
				default:
					p.hex(v)
				}
			}).only(isNot("param", 1)),
			s64("svalue").overlaid().only(is("param", 1)),
			u32("index"), x32("__pad").nonzero())
	})
)

// ptpTime has the date as a remark, ptpSpan is a period of time.
var (
	ptpSpan = lazily(func() *cstruct { return structure(s64("sec"), u32("nsec"), x32("reserved").nonzero()) })
	ptpTime = part("time", 16, func(p *printer, b, _ []byte) {
		p.record(ptpSpan(), b[:16])
		if p.opt.Style != StyleRaw {
			p.date(int64(le64(b, 0)), int64(le32(b, 8)))
		}
	})
	ptpTimes = part("ts", 48, func(p *printer, b, _ []byte) {
		p.str("[")
		for i := range 3 {
			p.sep(i)
			ptpTime.show(p, b[16*i:], nil)
		}
		p.str("]")
	})
	ptpCaps = lazily(func() *cstruct {
		return structure(
			s32("max_adj"), s32("n_alarm"), s32("n_ext_ts"), s32("n_per_out"), s32("pps"), s32("n_pins"), s32("cross_timestamping"),
			s32("adjust_phase"), inSecondsSigned("max_phase_adj", 4, 1000000000, 9), x32("rsv").several(11).nonzero())
	})
	ptpExtts = lazily(func() *cstruct {
		return structure(u32("index"), f32("flags", setPTPExttsFlags), x32("rsv").several(2).nonzero())
	})
	ptpPerout = lazily(func() *cstruct {
		return structure(
			ptpTime.called("start").only(hasNot("flags", 4)), sub("phase", ptpSpan()).overlaid().only(has("flags", 4)),
			sub("period", ptpSpan()), u32("index"), f32("flags", setPTPPeroutFlags), sub("on", ptpSpan()).only(has("flags", 2)),
			x32("rsv").several(4).overlaid().only(func(p *printer, b, _ []byte) bool { return !zero(b) && p.get("flags")&2 == 0 }))
	})
	ptpOffset = lazily(func() *cstruct {
		return structure(u32("n_samples"), x32("rsv").several(3).nonzero(),
			ptpTime.counted(51, func(p *printer) uint64 { return 2*min(p.get("n_samples"), 25) + 1 }).called("ts"))
	})
	ptpPin = lazily(func() *cstruct {
		return structure(
			chars("name", 64), u32("index"), e32("func", setPTPPinFuncs), u32("chan"), x32("rsv").several(5).nonzero())
	})
	ptpPrecise = lazily(func() *cstruct {
		return structure(
			ptpTime.called("device"), ptpTime.called("sys_realtime"), sub("sys_monoraw", ptpSpan()), x32("rsv").several(4).nonzero())
	})
	ptpExtended = lazily(func() *cstruct {
		return structure(
			u32("n_samples"), e32("clockid", setClocks), x32("rsv").several(2).nonzero(),
			ptpTimes.counted(25, func(p *printer) uint64 { return p.get("n_samples") }))
	})
)

var gpioOffset = lazily(func() *cstruct { return structure(u32("offset")) })

var (
	gpioChip     = lazily(func() *cstruct { return structure(chars("name", 32), chars("label", 32), u32("lines")) })
	gpioLineInfo = lazily(func() *cstruct {
		return structure(u32("line_offset"), f32("flags", setGPIOLineFlags), chars("name", 32), chars("consumer", 32))
	})
	gpioHandle = lazily(func() *cstruct {
		return structure(
			u32("lineoffsets").upTo(64, "lines"), f32("flags", setGPIOHandleFlags), u8("default_values").upTo(64, "lines"),
			chars("consumer_label", 32), u32("lines"), fd32("fd"))
	})
	gpioEvent = lazily(func() *cstruct {
		return structure(
			u32("lineoffset"), f32("handleflags", setGPIOHandleFlags), f32("eventflags", setGPIOEventFlags),
			chars("consumer_label", 32), fd32("fd"))
	})
	gpioData   = lazily(func() *cstruct { return structure(u8("values").several(64)) })
	gpioConfig = lazily(func() *cstruct {
		return structure(f32("flags", setGPIOHandleFlags), u8("default_values").several(64), pad(16))
	})
)

// gpioAttribute is a union; with padding in use nothing is known of it.
var gpioAttribute = lazily(func() *cstruct {
	return structure(
		u32("id").only(gpioRaw), x32("padding").nonzero(),
		f64("flags", setGPIOV2LineFlags).only(gpioIs(1)), x64("values").overlaid().only(gpioIs(2)),
		u32("debounce_period_us").overlaid().only(gpioIs(3)), x64("data").overlaid().only(gpioRaw))
})

func gpioRaw(p *printer, _, _ []byte) bool {
	id := p.get("id")
	return p.get("padding") != 0 || id < 1 || id > 3
}

func gpioIs(id uint64) condition {
	return func(p *printer, _, _ []byte) bool { return p.get("padding") == 0 && p.get("id") == id }
}

// In a line's configuration the attribute's own fields are shown without it.
var gpioConfigAttribute = lazily(func() *cstruct {
	return structure(
		part("attr", 16, func(p *printer, b, _ []byte) {
			if le32(b, 4) != 0 || le32(b, 0) < 1 || le32(b, 0) > 3 {
				p.record(gpioAttribute(), b)
				return
			}
			p.b = p.b[:len(p.b)-len("attr=")]
			p.members(gpioAttribute(), b)
		}), x64("mask"))
})

var (
	gpioLineConfig = lazily(func() *cstruct {
		return structure(
			f64("flags", setGPIOV2LineFlags), u32("num_attrs"), x32("padding").spare(5),
			sub("attrs", gpioConfigAttribute()).upTo(10, "num_attrs").only(isNot("num_attrs", 0)))
	})
	gpioLine = lazily(func() *cstruct {
		return structure(
			chars("name", 32), chars("consumer", 32), u32("offset"), u32("num_attrs"), f64("flags", setGPIOV2LineFlags),
			sub("attrs", gpioAttribute()).upTo(10, "num_attrs").only(isNot("num_attrs", 0)), x32("padding").spare(4))
	})
	gpioRequest = lazily(func() *cstruct {
		return structure(
			u32("offsets").upTo(64, "num_lines"), chars("consumer", 32), sub("config", gpioLineConfig()), u32("num_lines"),
			u32("event_buffer_size").nonzero(), x32("padding").spare(5), fd32("fd"))
	})
	gpioValues = lazily(func() *cstruct { return structure(x64("bits"), x64("mask")) })
)

var (
	uffdRange = lazily(func() *cstruct { return structure(x64("start"), x64("len")) })
	uffdAPI   = lazily(func() *cstruct {
		return structure(x64("api"), f64("features", setUFFDApiFeatures), f64("ioctls", setUFFDApiFlags))
	})
	uffdCopy = lazily(func() *cstruct {
		return structure(x64("dst"), x64("src"), x64("len"), f64("mode", setUFFDCopyFlags), x64("copy"))
	})
	uffdRegister = lazily(func() *cstruct { return uffdOn(setUFFDRegisterModeFlags, f64("ioctls", setUFFDRegisterFlags)) })
	uffdZero     = lazily(func() *cstruct { return uffdOn(setUFFDZeropageFlags, x64("zeropage")) })
	uffdContinue = lazily(func() *cstruct { return uffdOn(setUFFDContinueModeFlags, u64("mapped")) })
	uffdPoison   = lazily(func() *cstruct { return uffdOn(setUFFDPoisonModeFlags, u64("updated")) })
	uffdProtect  = lazily(func() *cstruct { return uffdOn(setUFFDWriteprotectModeFlags) })
)

func uffdOn(mode *Set, more ...field) *cstruct {
	return structure(append([]field{sub("range", uffdRange()), f64("mode", mode)}, more...)...)
}

var ioctlsDevice = lazily(func() []request {
	return []request{
		{names: "RTC_ALM_READ RTC_RD_TIME", args: fills(rtcTime())},
		{names: "RTC_ALM_SET RTC_SET_TIME", args: gives(rtcTime())},
		{names: "RTC_IRQP_SET RTC_EPOCH_SET", args: ioctlUint()},
		{names: "RTC_IRQP_READ RTC_EPOCH_READ", args: fills(refU())},
		{names: "RTC_WKALM_RD", args: fills(rtcAlarm())},
		{names: "RTC_WKALM_SET", args: gives(rtcAlarm())},
		{names: "RTC_PLL_GET", args: fills(rtcPLL())},
		{names: "RTC_PLL_SET", args: gives(rtcPLL())},
		{names: "RTC_VL_READ", args: fills(refFlags(setRTCVlFlags))},
		{names: "RTC_PARAM_GET", args: answers(rtcParam().pick("param index __pad"), rtcParam().pick("uvalue svalue __pad"))},
		{names: "RTC_PARAM_SET", args: gives(rtcParam())},
		{names: "RTC_AIE_ON RTC_AIE_OFF RTC_UIE_ON RTC_UIE_OFF RTC_PIE_ON RTC_PIE_OFF RTC_WIE_ON RTC_WIE_OFF RTC_VL_CLR", args: ioctlNone()},

		{names: "PTP_CLOCK_GETCAPS PTP_CLOCK_GETCAPS2", args: fills(ptpCaps())},
		{names: "PTP_EXTTS_REQUEST", args: gives(ptpExtts().pick("index flags"))},
		{names: "PTP_EXTTS_REQUEST2", args: gives(ptpExtts())},
		{names: "PTP_PEROUT_REQUEST", args: gives(ptpPerout().pick("start phase period index flags on"))},
		{names: "PTP_PEROUT_REQUEST2", args: gives(ptpPerout().pick("start phase period index flags on rsv"))},
		{names: "PTP_ENABLE_PPS PTP_ENABLE_PPS2", args: ioctlHex()},
		{names: "PTP_SYS_OFFSET PTP_SYS_OFFSET2", args: completes(ptpOffset(), "n_samples rsv", "ts")},
		{names: "PTP_PIN_GETFUNC", args: completes(ptpPin(), "index", "name func chan")},
		{names: "PTP_PIN_GETFUNC2", args: completes(ptpPin(), "index rsv", "name func chan")},
		{names: "PTP_PIN_SETFUNC", args: gives(ptpPin().pick("index func chan"))},
		{names: "PTP_PIN_SETFUNC2", args: gives(ptpPin().pick("index func chan rsv"))},
		{names: "PTP_SYS_OFFSET_PRECISE PTP_SYS_OFFSET_PRECISE2 PTP_SYS_OFFSET_PRECISE_CYCLES", args: fills(ptpPrecise())},
		{names: "PTP_SYS_OFFSET_EXTENDED PTP_SYS_OFFSET_EXTENDED2 PTP_SYS_OFFSET_EXTENDED_CYCLES", args: completes(ptpExtended(), "n_samples clockid rsv", "ts")},

		{names: "GPIO_GET_CHIPINFO_IOCTL", args: as("info", fills(gpioChip()))},
		{names: "GPIO_GET_LINEINFO_UNWATCH_IOCTL", args: as("offset", gives(gpioOffset()))},
		{names: "GPIO_GET_LINEINFO_IOCTL GPIO_GET_LINEINFO_WATCH_IOCTL", args: as("info", becomes(gpioLineInfo(), "line_offset", "flags name consumer"))},
		{names: "GPIO_GET_LINEHANDLE_IOCTL", args: as("request", becomes(gpioHandle(), "lines lineoffsets flags default_values consumer_label", "fd"))},
		{names: "GPIO_GET_LINEEVENT_IOCTL", args: as("request", becomes(gpioEvent(), "lineoffset handleflags eventflags consumer_label", "fd"))},
		{names: "GPIOHANDLE_GET_LINE_VALUES_IOCTL", args: as("values", fills(gpioData()))},
		{names: "GPIOHANDLE_SET_LINE_VALUES_IOCTL", args: as("values", gives(gpioData()))},
		{names: "GPIOHANDLE_SET_CONFIG_IOCTL", args: as("config", gives(gpioConfig()))},
		{names: "GPIO_V2_GET_LINEINFO_IOCTL GPIO_V2_GET_LINEINFO_WATCH_IOCTL", args: as("info", becomes(gpioLine(), "offset", "name consumer flags num_attrs attrs padding"))},
		{names: "GPIO_V2_GET_LINE_IOCTL", args: as("request", becomes(gpioRequest(), "num_lines offsets consumer config event_buffer_size padding", "fd"))},
		{names: "GPIO_V2_LINE_SET_CONFIG_IOCTL", args: as("config", gives(gpioLineConfig()))},
		{names: "GPIO_V2_LINE_GET_VALUES_IOCTL", args: as("values", becomes(gpioValues(), "mask", "bits"))},
		{names: "GPIO_V2_LINE_SET_VALUES_IOCTL", args: as("values", gives(gpioValues()))},

		{names: "UFFDIO_API", args: completes(uffdAPI(), "api features", "==features ioctls")},
		{names: "UFFDIO_COPY", args: completes(uffdCopy(), "dst src len mode", "copy")},
		{names: "UFFDIO_REGISTER", args: completes(uffdRegister(), "range mode", "ioctls")},
		{names: "UFFDIO_UNREGISTER UFFDIO_WAKE", args: gives(uffdRange())},
		{names: "UFFDIO_ZEROPAGE", args: completes(uffdZero(), "range mode", "zeropage")},
		{names: "UFFDIO_WRITEPROTECT", args: gives(uffdProtect())},
		{names: "UFFDIO_CONTINUE", args: completes(uffdContinue(), "range mode", "mapped")},
		{names: "UFFDIO_POISON", args: completes(uffdPoison(), "range mode", "updated")},
	}
})
