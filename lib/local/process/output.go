package process

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// maxLine is the greatest length of a line that is printed in one piece, in bytes.
const maxLine = 64 << 10

// A lineWriter prints lines with the function's name before each. Its output may be shared: each line is one call of Write.
type lineWriter struct {
	name string
	out  io.Writer
}

// line prints a line, or several.
func (l *lineWriter) line(text string) {
	for text := range strings.SplitSeq(text, "\n") {
		_, _ = io.WriteString(l.out, l.name+" | "+strings.ToValidUTF8(strings.TrimSuffix(text, "\r"), "\uFFFD")+"\n")
	}
}

// perProcess returns a writer for what one process prints.
func (l *lineWriter) perProcess() *processOutput { return &processOutput{lines: l} }

// A processOutput splits what a process prints into lines.
type processOutput struct {
	lines *lineWriter

	mu      sync.Mutex
	started []byte // The beginning of a line.
}

// Write prints the lines that are complete.
func (o *processOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.started = append(o.started, p...)
	for {
		end := bytes.IndexByte(o.started, '\n')
		if end < 0 {
			break
		}
		o.lines.line(string(o.started[:end]))
		o.started = o.started[end+1:]
	}
	for len(o.started) > maxLine {
		o.lines.line(string(o.started[:maxLine]))
		o.started = o.started[maxLine:]
	}
	return len(p), nil
}

// flush prints the line that has no end.
func (o *processOutput) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.started) > 0 {
		o.lines.line(string(o.started))
		o.started = nil
	}
}

// filesOf returns the files of a command: each word that names a file or a folder. For a program's text, such as app.py, these are
// all files of that ending in its folder.
func filesOf(command string) []string {
	var files []string
	for word := range strings.FieldsSeq(command) {
		path := strings.Trim(word, `"'`)
		info, err := os.Stat(path)
		switch extension := filepath.Ext(path); {
		case err != nil:
		case info.IsDir() || extension == "":
			files = append(files, path)
		default:
			files = append(files, path)
			siblings, _ := filepath.Glob(filepath.Join(escapeGlob(filepath.Dir(path)), "*"+extension))
			files = append(files, siblings...)
		}
	}
	return files
}

// escapeGlob returns a pattern that matches the path only.
func escapeGlob(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}
