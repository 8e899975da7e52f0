package python

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Compiling the agent takes longer than starting Python. The first process of a
// run leaves the code in the run's directory for the others; Restore and Save
// carry it from run to run in a directory of the user's own.

// maxCode bounds one file of compiled code, in bytes.
const maxCode = 1 << 20

// Restore copies the compiled agent of earlier runs from cache, which may not
// exist, into the run's directory. It takes nothing from a directory that
// anybody else may write to: the code will run in the user's programs.
func Restore(dir, cache string) error {
	from := agentCache(cache)
	st, err := os.Lstat(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the agent's cache: %w", err)
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || !st.IsDir() || int(sys.Uid) != os.Geteuid() || st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user's alone: not used", from)
	}
	return copyCode(from, filepath.Join(dir, agentDir))
}

// Save copies what was compiled in the run to the cache.
func Save(dir, cache string) error {
	to := agentCache(cache)
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("make the agent's cache: %w", err)
	}
	return copyCode(filepath.Join(dir, agentDir), to)
}

// agentCache is the cache's directory for this very agent.
func agentCache(cache string) string {
	sum := sha256.Sum256(code(parts...))
	return filepath.Join(cache, "agent-"+hex.EncodeToString(sum[:8]))
}

// copyCode copies the compiled files that the other directory lacks.
func copyCode(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "agent-*.code"))
	if err != nil {
		return err
	}
	for _, f := range files {
		st, err := os.Lstat(f)
		if err != nil || !st.Mode().IsRegular() || st.Size() > maxCode {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("read compiled agent: %w", err)
		}
		// Made under another name and moved: a reader sees it whole or not at all.
		target := filepath.Join(to, filepath.Base(f))
		if _, err := os.Lstat(target); err == nil {
			continue
		}
		temp := fmt.Sprintf("%s.%d.new", target, os.Getpid())
		if err := os.WriteFile(temp, data, 0o600); err != nil {
			return fmt.Errorf("write compiled agent: %w", err)
		}
		if err := os.Rename(temp, target); err != nil {
			return fmt.Errorf("write compiled agent: %w", err)
		}
	}
	return nil
}
