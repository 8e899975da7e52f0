package sysabi

// rtnetlink(7): what NETLINK_ROUTE carries.

// Types of messages (linux/rtnetlink.h) come in fours from rtmBase on: new,
// delete, get, set.
const rtmBase, rtmDelAction, rtmGetNeigh = 16, 49, 30

// routeMessages is what the types of each four have, nil where nobody knows.
var routeMessages = lazily(func() []*nlMessage {
	return []*nlMessage{
		(16 - rtmBase) / 4:  msgLink(),
		(20 - rtmBase) / 4:  msgAddr(),
		(24 - rtmBase) / 4:  msgRoute(),
		(28 - rtmBase) / 4:  msgNeigh(),
		(32 - rtmBase) / 4:  msgRule(),
		(36 - rtmBase) / 4:  msgTC(), // disciplines
		(40 - rtmBase) / 4:  msgTC(), // classes
		(44 - rtmBase) / 4:  msgTC(), // filters
		(48 - rtmBase) / 4:  msgTCAction(),
		(56 - rtmBase) / 4:  msgAddr(), // multicast
		(60 - rtmBase) / 4:  msgAddr(), // anycast
		(64 - rtmBase) / 4:  msgNeighTable(),
		(72 - rtmBase) / 4:  msgAddrLabel(),
		(76 - rtmBase) / 4:  msgDCB(),
		(80 - rtmBase) / 4:  msgNetconf(),
		(84 - rtmBase) / 4:  msgBridgePort(),
		(88 - rtmBase) / 4:  msgNSID(),
		(92 - rtmBase) / 4:  msgStats(),
		(96 - rtmBase) / 4:  msgCacheReport(),
		(100 - rtmBase) / 4: msgTC(), // chains
		(104 - rtmBase) / 4: msgNexthop(),
	}
})

func routeBody(p *printer, h nlmsghdr, s span) bool {
	if h.typ == nlmsgDone {
		return false
	}
	i := int(h.typ-rtmBase) / 4
	switch {
	case h.typ == rtmGetNeigh && len(s.b) > 0 && s.b[0] == AFBridge:
		msgLink().print(p, s)
	case setRouteTypes.Name(uint64(h.typ)) != "" && i < len(routeMessages()) && routeMessages()[i] != nil:
		routeMessages()[i].print(p, s)
	default:
		p.familyOnly(s)
	}
	return true
}

func routeFlags(typ uint16) *Set {
	if typ == rtmDelAction {
		return setNLGetFlags
	}
	switch typ & 3 {
	case 0:
		return setNLNewFlags
	case 1:
		return setNLDelFlags
	case 2:
		return setNLGetFlags
	}
	return nil
}
