package sysabi

// Constants of socket addresses.

var (
	setVsockCIDs = &Set{"", []Name{
		{0, "VMADDR_CID_HYPERVISOR"}, {1, "VMADDR_CID_LOCAL"}, {2, "VMADDR_CID_HOST"},
		{0xffffffff, "VMADDR_CID_ANY"},
	}}
	setVsockPorts = &Set{"", []Name{
		{0xffffffff, "VMADDR_PORT_ANY"},
	}}
	setVsockFlags = &Set{"VMADDR_FLAG_???", []Name{
		{1, "VMADDR_FLAG_TO_HOST"},
	}}
	setTIPCTypes = &Set{"TIPC_???", []Name{
		{1, "TIPC_SERVICE_RANGE"}, {2, "TIPC_SERVICE_ADDR"}, {3, "TIPC_SOCKET_ADDR"},
	}}
	setTIPCScopes = &Set{"TIPC_???_SCOPE", []Name{
		{2, "TIPC_CLUSTER_SCOPE"}, {3, "TIPC_NODE_SCOPE"},
	}}
	setHCIChannels = &Set{"HCI_CHANNEL_???", []Name{
		{0, "HCI_CHANNEL_RAW"}, {1, "HCI_CHANNEL_USER"}, {2, "HCI_CHANNEL_MONITOR"},
		{3, "HCI_CHANNEL_CONTROL"}, {4, "HCI_CHANNEL_LOGGING"},
	}}
	setL2PSM = &Set{"L2CAP_PSM_???", []Name{
		{1, "L2CAP_PSM_SDP"}, {3, "L2CAP_PSM_RFCOMM"}, {0x21, "L2CAP_PSM_3DSP"}, {0x23, "L2CAP_PSM_IPSP"},
		{0x80, "L2CAP_PSM_LE_DYN_START"}, {0xff, "L2CAP_PSM_LE_DYN_END"}, {0x1001, "L2CAP_PSM_DYN_START"},
		{0x10ff, "L2CAP_PSM_AUTO_END"}, {0xffff, "L2CAP_PSM_DYN_END"},
	}}
	setL2CID = &Set{"L2CAP_CID_???", []Name{
		{1, "L2CAP_CID_SIGNALING"}, {2, "L2CAP_CID_CONN_LESS"}, {3, "L2CAP_CID_A2MP"}, {4, "L2CAP_CID_ATT"},
		{5, "L2CAP_CID_LE_SIGNALING"}, {6, "L2CAP_CID_SMP"}, {7, "L2CAP_CID_SMP_BREDR"},
		{0x40, "L2CAP_CID_DYN_START"}, {0x7f, "L2CAP_CID_LE_DYN_END"}, {0xffff, "L2CAP_CID_DYN_END"},
	}}
	setBDAddrTypes = &Set{"BDADDR_???", []Name{
		{0, "BDADDR_BREDR"}, {1, "BDADDR_LE_PUBLIC"}, {2, "BDADDR_LE_RANDOM"},
	}}
	setRXRPCServices = &Set{"???_SERVICE", []Name{
		{1, "CM_SERVICE"}, {0x9c4, "YFS_FS_SERVICE"}, {0x9c5, "YFS_CM_SERVICE"}, {0x9c7, "YFS_VL_SERVICE"},
	}}
	setIEEE802154Types = &Set{"IEEE802154_ADDR_???", []Name{
		{0, "IEEE802154_ADDR_NONE"}, {2, "IEEE802154_ADDR_SHORT"}, {3, "IEEE802154_ADDR_LONG"},
	}}
	setIEEE802154PANs = &Set{"", []Name{
		{0xffff, "IEEE802154_PANID_BROADCAST"},
	}}
	setIEEE802154Addrs = &Set{"", []Name{
		{0xfffe, "IEEE802154_ADDR_UNDEF"}, {0xffff, "IEEE802154_ADDR_BROADCAST"},
	}}
	setALGFlags = &Set{"CRYPTO_ALG_???", []Name{
		{0x1000, "CRYPTO_ALG_KERN_DRIVER_ONLY"},
	}}
	setNFCProtocols = &Set{"NFC_PROTO_???", []Name{
		{1, "NFC_PROTO_JEWEL"}, {2, "NFC_PROTO_MIFARE"}, {3, "NFC_PROTO_FELICA"}, {4, "NFC_PROTO_ISO14443"},
		{5, "NFC_PROTO_NFC_DEP"}, {6, "NFC_PROTO_ISO14443_B"}, {7, "NFC_PROTO_ISO15693"},
	}}
	setNFCSAPs = &Set{"", []Name{
		{1, "LLCP_SAP_SDP"}, {2, "LLCP_SAP_IP"}, {3, "LLCP_SAP_OBEX"}, {4, "LLCP_SAP_SNEP"},
		{0xff, "LLCP_SAP_MAX"},
	}}
	setQIPCRTRNodes = &Set{"", []Name{
		{0xffffffff, "QRTR_NODE_BCAST"},
	}}
	setQIPCRTRPorts = &Set{"", []Name{
		{0xfffffffe, "QRTR_PORT_CTRL"},
	}}
	setXDPSockaddr = &Set{"XDP_???", []Name{
		{1, "XDP_SHARED_UMEM"}, {2, "XDP_COPY"}, {4, "XDP_ZEROCOPY"}, {8, "XDP_USE_NEED_WAKEUP"},
		{0x10, "XDP_USE_SG"},
	}}
	setMCTPNets = &Set{"", []Name{
		{0, "MCTP_NET_ANY"},
	}}
	setMCTPAddrs = &Set{"", []Name{
		{0, "MCTP_ADDR_NULL"}, {0xff, "MCTP_ADDR_ANY"},
	}}
)
