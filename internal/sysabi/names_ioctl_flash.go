// Constants of the Linux UAPI headers: flash memory (mtd/mtd-abi.h, mtd/ubi-user.h).

package sysabi

var (
	setMTDFileModeOptions = &Set{"MTD_FILE_MODE_???", []Name{
		{0, "MTD_FILE_MODE_NORMAL"}, {1, "MTD_FILE_MODE_OTP_FACTORY"}, {2, "MTD_FILE_MODE_OTP_USER"},
		{3, "MTD_FILE_MODE_RAW"},
	}}
	setMTDFlagsOptions = &Set{"MTD_???", []Name{
		{0x400, "MTD_WRITEABLE"}, {0x800, "MTD_BIT_WRITEABLE"}, {0x1000, "MTD_NO_ERASE"}, {0x2000, "MTD_POWERUP_LOCK"},
		{0x4000, "MTD_SLC_ON_MLC_EMULATION"},
	}}
	setMTDModeOptions    = &Set{"MTD_OPS_???", []Name{{0, "MTD_OPS_PLACE_OOB"}, {1, "MTD_OPS_AUTO_OOB"}, {2, "MTD_OPS_RAW"}}}
	setMTDNandeccOptions = &Set{"MTD_NANDECC_???", []Name{
		{0, "MTD_NANDECC_OFF"}, {1, "MTD_NANDECC_PLACE"}, {2, "MTD_NANDECC_AUTOPLACE"}, {3, "MTD_NANDECC_PLACEONLY"},
		{4, "MTD_NANDECC_AUTOPL_USR"},
	}}
	setMTDOtpOptions  = &Set{"MTD_OTP_???", []Name{{0, "MTD_OTP_OFF"}, {1, "MTD_OTP_FACTORY"}, {2, "MTD_OTP_USER"}}}
	setMTDTypeOptions = &Set{"MTD_???", []Name{
		{0, "MTD_ABSENT"}, {1, "MTD_RAM"}, {2, "MTD_ROM"}, {3, "MTD_NORFLASH"}, {4, "MTD_NANDFLASH"}, {6, "MTD_DATAFLASH"},
		{7, "MTD_UBIVOLUME"}, {8, "MTD_MLCNANDFLASH"},
	}}
	setUBIDataTypes   = &Set{"UBI_???", []Name{{1, "UBI_LONGTERM"}, {2, "UBI_SHORTTERM"}, {3, "UBI_UNKNOWN"}}}
	setUBIVolumeFlags = &Set{"UBI_VOL_???", []Name{{1, "UBI_VOL_SKIP_CRC_CHECK_FLG"}}}
	setUBIVolumeProps = &Set{"UBI_VOL_PROP_???", []Name{{1, "UBI_VOL_PROP_DIRECT_WRITE"}}}
	setUBIVolumeTypes = &Set{"UBI_???_VOLUME", []Name{{3, "UBI_DYNAMIC_VOLUME"}, {4, "UBI_STATIC_VOLUME"}}}
)
