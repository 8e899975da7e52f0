package owner

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// npmOwner finds the package of node_modules that a file lies in: the nearest
// folder node_modules/NAME or node_modules/@SCOPE/NAME with a package.json.
func npmOwner(db *DB, name string) (Owner, bool, error) {
	full, _ := resolve(db.root, name) // commands in bin are links into node_modules
	for d := path.Dir(full); len(d) > 1; d = path.Dir(d) {
		parent := path.Dir(d)
		if strings.HasPrefix(path.Base(parent), "@") {
			parent = path.Dir(parent)
		}
		if path.Base(parent) != "node_modules" {
			continue
		}
		b, err := db.read(d+"/package.json", 4<<20)
		if err != nil {
			return Owner{}, false, err
		}
		if b == nil {
			continue
		}
		var p struct{ Name, Version string }
		if err := json.Unmarshal(b, &p); err != nil {
			return Owner{}, false, fmt.Errorf("read %s/package.json: %w", d, err)
		}
		if p.Name != "" && p.Version != "" {
			return Owner{Kind: "npm", Package: p.Name, Version: p.Version}, true, nil
		}
	}
	return Owner{}, false, nil
}
