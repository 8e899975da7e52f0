package tls

import "strconv"

// AlertDescription is the second byte of an alert (RFC 8446 section 6).
type AlertDescription uint8

// UnknownAlert stands for the description of an alert that stayed encrypted. No
// alert has this number.
const UnknownAlert AlertDescription = 255

// String returns the RFC's name, e.g. "certificate_expired", or "alert(N)".
func (a AlertDescription) String() string {
	if n, ok := alerts[a]; ok {
		return n
	}
	return "alert(" + strconv.Itoa(int(a)) + ")"
}

var alerts = map[AlertDescription]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
	22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate",
	42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
	45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
	49: "access_denied", 50: "decode_error", 51: "decrypt_error", 52: "too_many_cids_requested",
	60: "export_restriction", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
	110: "unsupported_extension", 111: "certificate_unobtainable", 112: "unrecognized_name",
	113: "bad_certificate_status_response", 114: "bad_certificate_hash_value",
	115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
	121: "ech_required", UnknownAlert: "unknown",
}

// HandshakeType is the type of a handshake message.
type HandshakeType uint8

// Types of handshake messages.
const (
	typeHelloRequest        HandshakeType = 0
	typeClientHello         HandshakeType = 1
	typeServerHello         HandshakeType = 2
	typeEndOfEarlyData      HandshakeType = 5
	typeEncryptedExtensions HandshakeType = 8
	typeCertificate         HandshakeType = 11
	typeCertificateRequest  HandshakeType = 13
	typeFinished            HandshakeType = 20
	typeKeyUpdate           HandshakeType = 24
	typeCompressedCert      HandshakeType = 25
)

// String returns the RFC's name, e.g. "new_session_ticket", or "handshake(N)".
func (t HandshakeType) String() string {
	if n, ok := handshakes[t]; ok {
		return n
	}
	return "handshake(" + strconv.Itoa(int(t)) + ")"
}

var handshakes = map[HandshakeType]string{
	0: "hello_request", 1: "client_hello", 2: "server_hello", 3: "hello_verify_request",
	4: "new_session_ticket", 5: "end_of_early_data", 6: "hello_retry_request",
	8: "encrypted_extensions", 11: "certificate", 12: "server_key_exchange",
	13: "certificate_request", 14: "server_hello_done", 15: "certificate_verify",
	16: "client_key_exchange", 20: "finished", 21: "certificate_url", 22: "certificate_status",
	23: "supplemental_data", 24: "key_update", 25: "compressed_certificate", 67: "next_protocol",
}
