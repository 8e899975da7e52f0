// Constants of the Linux UAPI headers: terminals (asm-generic/termbits.h, linux/tty.h).

package sysabi

var (
	setTermIflags = &Set{"", []Name{
		{1, "IGNBRK"}, {2, "BRKINT"}, {4, "IGNPAR"}, {8, "PARMRK"}, {0x10, "INPCK"}, {0x20, "ISTRIP"}, {0x40, "INLCR"},
		{0x80, "IGNCR"}, {0x100, "ICRNL"}, {0x200, "IUCLC"}, {0x400, "IXON"}, {0x800, "IXANY"}, {0x1000, "IXOFF"},
		{0x2000, "IMAXBEL"}, {0x4000, "IUTF8"},
	}}
	setTermOflags = &Set{"", []Name{
		{1, "OPOST"}, {2, "OLCUC"}, {4, "ONLCR"}, {8, "OCRNL"}, {0x10, "ONOCR"}, {0x20, "ONLRET"}, {0x40, "OFILL"},
		{0x80, "OFDEL"},
	}}
	setTermOflagsNldly  = &Set{"NL?", []Name{{0, "NL0"}, {0x100, "NL1"}}}
	setTermOflagsCrdly  = &Set{"CR?", []Name{{0, "CR0"}, {0x200, "CR1"}, {0x400, "CR2"}, {0x600, "CR3"}}}
	setTermOflagsTabdly = &Set{"TAB?", []Name{{0x1800, "XTABS"}, {0, "TAB0"}, {0x800, "TAB1"}, {0x1000, "TAB2"}, {0x1800, "TAB3"}}}
	setTermOflagsBsdly  = &Set{"BS?", []Name{{0x2000, "BS1"}, {0, "BS0"}}}
	setTermOflagsVtdly  = &Set{"VT?", []Name{{0, "VT0"}, {0x4000, "VT1"}}}
	setTermOflagsFfdly  = &Set{"FF?", []Name{{0, "FF0"}, {0x8000, "FF1"}}}
	setBaudOptions      = &Set{"B???", []Name{
		{0, "B0"}, {1, "B50"}, {2, "B75"}, {3, "B110"}, {4, "B134"}, {5, "B150"}, {6, "B200"}, {7, "B300"}, {8, "B600"},
		{9, "B1200"}, {0xa, "B1800"}, {0xb, "B2400"}, {0xc, "B4800"}, {0xd, "B9600"}, {0xe, "B19200"}, {0xf, "B38400"},
		{0x1001, "B57600"}, {0x1002, "B115200"}, {0x1003, "B230400"}, {0x1004, "B460800"}, {0x1005, "B500000"},
		{0x1006, "B576000"}, {0x1007, "B921600"}, {0x1008, "B1000000"}, {0x1009, "B1152000"}, {0x100a, "B1500000"},
		{0x100b, "B2000000"}, {0x100c, "B2500000"}, {0x100d, "B3000000"}, {0x100e, "B3500000"}, {0x100f, "B4000000"},
		{0xe, "EXTA"}, {0xf, "EXTB"}, {0x1000, "BOTHER"},
	}}
	setTermCflagsCsize = &Set{"CS?", []Name{{0, "CS5"}, {0x10, "CS6"}, {0x20, "CS7"}, {0x30, "CS8"}}}
	setTermCflags      = &Set{"", []Name{
		{0x40, "CSTOPB"}, {0x80, "CREAD"}, {0x100, "PARENB"}, {0x200, "PARODD"}, {0x400, "HUPCL"}, {0x800, "CLOCAL"},
		{0x40000000, "CMSPAR"}, {0x80000000, "CRTSCTS"},
	}}
	setTermLflags = &Set{"", []Name{
		{1, "ISIG"}, {2, "ICANON"}, {4, "XCASE"}, {8, "ECHO"}, {0x10, "ECHOE"}, {0x20, "ECHOK"}, {0x40, "ECHONL"},
		{0x80, "NOFLSH"}, {0x8000, "IEXTEN"}, {0x200, "ECHOCTL"}, {0x400, "ECHOPRT"}, {0x800, "ECHOKE"}, {0x1000, "FLUSHO"},
		{0x4000, "PENDIN"}, {0x100, "TOSTOP"}, {0x10000, "EXTPROC"},
	}}
	setTermLineDiscs = &Set{"N_???", []Name{
		{0, "N_TTY"}, {1, "N_SLIP"}, {2, "N_MOUSE"}, {3, "N_PPP"}, {4, "N_STRIP"}, {5, "N_AX25"}, {6, "N_X25"},
		{7, "N_6PACK"}, {8, "N_MASC"}, {9, "N_R3964"}, {0xa, "N_PROFIBUS_FDL"}, {0xb, "N_IRDA"}, {0xc, "N_SMSBLOCK"},
		{0xd, "N_HDLC"}, {0xe, "N_SYNC_PPP"}, {0xf, "N_HCI"}, {0x10, "N_GIGASET_M101"}, {0x11, "N_SLCAN"}, {0x12, "N_PPS"},
		{0x13, "N_V253"}, {0x14, "N_CAIF"}, {0x15, "N_GSM0710"}, {0x16, "N_TI_WL"}, {0x17, "N_TRACESINK"},
		{0x18, "N_TRACEROUTER"}, {0x19, "N_NCI"}, {0x1a, "N_SPEAKUP"}, {0x1b, "N_NULL"},
	}}
	setTermiosCc = &Set{"", []Name{
		{0, "VINTR"}, {1, "VQUIT"}, {2, "VERASE"}, {3, "VKILL"}, {0x10, "VEOL2"}, {7, "VSWTC"}, {8, "VSTART"}, {9, "VSTOP"},
		{0xa, "VSUSP"}, {0xc, "VREPRINT"}, {0xd, "VDISCARD"}, {0xe, "VWERASE"}, {0xf, "VLNEXT"}, {6, "VMIN"}, {5, "VTIME"},
		{4, "VEOF"}, {0xb, "VEOL"},
	}}
	setModemFlags = &Set{"TIOCM_???", []Name{
		{1, "TIOCM_LE"}, {2, "TIOCM_DTR"}, {4, "TIOCM_RTS"}, {8, "TIOCM_ST"}, {0x10, "TIOCM_SR"}, {0x20, "TIOCM_CTS"},
		{0x40, "TIOCM_CAR"}, {0x80, "TIOCM_RNG"}, {0x100, "TIOCM_DSR"}, {0x2000, "TIOCM_OUT1"}, {0x4000, "TIOCM_OUT2"},
		{0x8000, "TIOCM_LOOP"},
	}}
	setTCXONCOptions       = &Set{"TC???", []Name{{0, "TCOOFF"}, {1, "TCOON"}, {2, "TCIOFF"}, {3, "TCION"}}}
	setTCFLSHOptions       = &Set{"TC???", []Name{{0, "TCIFLUSH"}, {1, "TCOFLUSH"}, {2, "TCIOFLUSH"}}}
	setTermCmdsOverlapping = &Set{"", []Name{
		{0x5401, "TCGETS"}, {0x5402, "TCSETS"}, {0x5403, "TCSETSW"}, {0x5404, "TCSETSF"}, {0x5405, "TCGETA"},
		{0x5406, "TCSETA"}, {0x5407, "TCSETAW"}, {0x5408, "TCSETAF"},
	}}
)
