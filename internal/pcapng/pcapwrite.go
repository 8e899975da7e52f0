package pcapng

import "encoding/binary"

// AppendPcap adds the file header of the older pcap format (draft-ietf-opsawg-pcap),
// little endian, with times in microseconds or nanoseconds.
func AppendPcap(b []byte, link uint32, snaplen uint32, nanos bool) []byte {
	magic := uint32(0xa1b2c3d4)
	if nanos {
		magic = 0xa1b23c4d
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, magic)
	b = le.AppendUint16(le.AppendUint16(b, 2), 4) // version
	b = le.AppendUint64(b, 0)                     // zone and accuracy, both unused
	return le.AppendUint32(le.AppendUint32(b, snaplen), link)
}

// AppendPcapPacket adds a packet with a time in ns since 1970 and its length on
// the wire.
func AppendPcapPacket(b []byte, ns int64, length int, data []byte, nanos bool) []byte {
	le := binary.LittleEndian
	frac := ns % 1e9
	if !nanos {
		frac /= 1000
	}
	b = le.AppendUint32(le.AppendUint32(b, uint32(ns/1e9)), uint32(frac))
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(data))), uint32(length))
	return append(b, data...)
}
