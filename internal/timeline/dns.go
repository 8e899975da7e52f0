package timeline

import "culprit/internal/sysabi"

func (b *builder) datagram(c *Call, d *Desc, dec sysabi.Decoded) {}
