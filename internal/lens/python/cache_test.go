package python

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCache(t *testing.T) {
	run, again, cache := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "cache")
	for _, dir := range []string{run, again} {
		if _, err := Prepare(dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := Restore(run, cache); err != nil {
		t.Fatalf("a cache that is not there yet: %v", err)
	}
	const name = "agent-cpython-311-30b02f0.code"
	if err := os.WriteFile(filepath.Join(run, agentDir, name), []byte("code"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Save(run, cache); err != nil {
		t.Fatal(err)
	}
	if err := Restore(again, cache); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(again, agentDir, name)); err != nil || string(got) != "code" {
		t.Errorf("restored %q, %v", got, err)
	}
	left, _ := filepath.Glob(filepath.Join(again, agentDir, "*.new"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Code that somebody else may have put there is not run in the user's programs.
func TestCacheOfOthers(t *testing.T) {
	run, cache := t.TempDir(), t.TempDir()
	if _, err := Prepare(run, nil); err != nil {
		t.Fatal(err)
	}
	dir := agentCache(cache)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "agent-x.code"), []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Restore(run, cache); err == nil {
		t.Error("a directory open to all was used")
	}
	if _, err := os.Stat(filepath.Join(run, agentDir, "agent-x.code")); err == nil {
		t.Error("its code was taken")
	}
}
