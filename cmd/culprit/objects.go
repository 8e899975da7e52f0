package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"culprit/internal/show"
)

// exportObjects writes HTTP bodies to new files in a folder.
func exportObjects(w *bufio.Writer, list show.Rows, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for objects: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder for objects: %w", err)
	}
	defer root.Close()
	for obj := range show.Objects(list) {
		f, err := root.OpenFile(obj.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("write an object: %w", err)
		}
		_, err = f.Write(obj.Data)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Join(dir, obj.Name), err)
		}
		note := ""
		if obj.Lost > 0 {
			note = fmt.Sprintf(", %d bytes of it are not in the recording", obj.Lost)
		} else if obj.Note != "" {
			note = ", " + obj.Note
		}
		fmt.Fprintf(w, "%s: %d bytes, %s%s\n", filepath.Join(dir, obj.Name), len(obj.Data), printable([]byte(obj.From)), printable([]byte(note)))
	}
	return nil
}
