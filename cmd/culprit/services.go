package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// serviceTable is services(5).
type serviceTable struct {
	names map[serviceKey]string
	ports map[string]map[string]uint16 // by name, then protocol
}

type serviceKey struct {
	proto string
	port  uint16
}

// services reads the table once; where there is none it is empty.
var services = sync.OnceValue(func() *serviceTable {
	t := &serviceTable{names: map[serviceKey]string{}, ports: map[string]map[string]uint16{}}
	b, _ := os.ReadFile("/etc/services")
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		port, proto, _ := strings.Cut(f[1], "/")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			continue
		}
		if k := (serviceKey{proto, uint16(n)}); t.names[k] == "" {
			t.names[k] = f[0]
		}
		for _, name := range append([]string{f[0]}, f[2:]...) {
			if t.ports[name] == nil {
				t.ports[name] = map[string]uint16{}
			}
			t.ports[name][proto] = uint16(n)
		}
	}
	return t
})

// name is the service at a port, "" when none is known.
func (t *serviceTable) name(proto string, port uint16) string {
	return t.names[serviceKey{proto, port}]
}

// number is the port of a service, and its IP protocol when it has but one.
func (t *serviceTable) number(name string) (port uint16, proto uint8, ok bool) {
	by := t.ports[name]
	tcp, isTCP := by["tcp"]
	udp, isUDP := by["udp"]
	switch {
	case isTCP && isUDP:
		return tcp, 0, tcp == udp
	case isTCP:
		return tcp, 6, true
	case isUDP:
		return udp, 17, true
	}
	return 0, 0, false
}
