package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
)

// display shows the frames that a browser receives.
type display interface {
	// frame shows a frame. It returns the error of writing it.
	frame(f frame) error
	// end ends a line that is not complete yet.
	end()
	// summary shows the result of the import and its first rejected rows. folder has all results; it is empty if they are not saved.
	summary(s csvimport.Summary, rejected []csvimport.RejectedRow, folder string) error
}

// barSteps is the number of steps of a progress bar.
const barSteps = 1000

// newDisplay returns a display that prints JSON lines if asJSON is set. Otherwise it draws a progress bar if w is a terminal, and
// prints plain lines if it is not.
func newDisplay(w io.Writer, asJSON bool) display {
	if asJSON {
		return jsonLines{w}
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		const width, redraw = 40, 50 * time.Millisecond
		return &bar{lines: lines{w}, bar: progressbar.NewOptions(barSteps,
			progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(width), progressbar.OptionThrottle(redraw),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionFullWidth())}
	}
	return lines{w}
}

// jsonLines prints the frames as received, and the summary as a last line. In both, characters that must not reach a terminal are escaped.
type jsonLines struct{ w io.Writer }

func (d jsonLines) frame(f frame) error {
	return printError(fmt.Fprintf(d.w, "%s\n", format.SafeJSON(f.raw)))
}

func (jsonLines) end() {}

func (d jsonLines) summary(s csvimport.Summary, _ []csvimport.RejectedRow, _ string) error {
	text, err := json.Marshal(map[string]any{"type": "summary", "data": s})
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return printError(fmt.Fprintf(d.w, "%s\n", format.SafeJSON(text)))
}

// lines prints a line for each frame.
type lines struct{ w io.Writer }

func (d lines) frame(f frame) error {
	if state, ok := message.AsUploadProgress(f.Data); ok {
		return printError(fmt.Fprintln(d.w, format.State(state)))
	}
	if note, ok := f.Data.(message.Notification); ok {
		return printError(fmt.Fprintln(d.w, format.Note(note)))
	}
	return nil
}

// printError wraps the error of a print. It ignores the number of bytes, the first result of fmt.Fprintf, which is a parameter so
// that a call of fmt.Fprintf can be the argument.
func printError(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (lines) end() {}

func (d lines) summary(s csvimport.Summary, rejected []csvimport.RejectedRow, folder string) error {
	duration := time.Duration(s.DurationMillis) * time.Millisecond
	var text strings.Builder
	fmt.Fprintf(&text, `
%s: %d rows in %.1f s
  accepted  %8d  (quantity %d)
  rejected  %8d
`, format.SafeText(s.FileName), s.Rows, duration.Seconds(), s.Accepted, s.Quantity, s.Rejected)
	for _, r := range s.RejectedBy {
		reason := r.Reason
		if r.Column != "" {
			reason = r.Column + ": " + reason
		}
		fmt.Fprintf(&text, "  %18d  %s\n", r.Rows, format.SafeText(reason))
	}
	for _, note := range s.Notes {
		fmt.Fprintf(&text, "  note: %s\n", format.SafeText(note))
	}
	writeRejected(&text, rejected, s.Rejected, folder)
	if folder != "" {
		fmt.Fprintf(&text, "\nAll results are in the folder %s\n", format.SafeText(folder))
	}
	return printError(io.WriteString(d.w, text.String()))
}

// writeRejected writes a table of the first rejected rows, how many more there are, and how to get and import all of them.
func writeRejected(text *strings.Builder, first []csvimport.RejectedRow, all int64, folder string) {
	if len(first) == 0 {
		return
	}
	text.WriteString("\nRejected rows\n")
	const gap = 2
	table := tabwriter.NewWriter(text, 0, 0, gap, ' ', 0)
	for _, row := range first {
		fmt.Fprintf(table, "  line %d\t%s\t%s\n", row.Line, format.SafeText(row.Column), format.SafeText(row.Reason))
	}
	_ = table.Flush() // A strings.Builder does not fail.
	more := all - int64(len(first))
	if more > 0 && folder == "" {
		fmt.Fprintf(text, "  and %s more; -results FOLDER keeps all of them\n", format.Count(more))
	} else if more > 0 {
		fmt.Fprintf(text, "  and %s more\n", format.Count(more))
	}
	if folder != "" {
		fmt.Fprintf(text, "Mend them in %s and import that file\n", format.SafeText(filepath.Join(folder, "rejected.csv")))
	}
}

// bar draws the progress on a terminal.
type bar struct {
	lines

	bar   *progressbar.ProgressBar
	ended bool
}

func (d *bar) frame(f frame) error {
	data, ok := message.AsUploadProgress(f.Data)
	if !ok {
		return nil
	}
	// The text always has 44 characters, so that the bar after it stays in its place.
	d.bar.Describe(fmt.Sprintf("%-44.44s", strings.TrimSpace(format.SafeText(data.Message)+"  "+format.Rows(data))))
	const stepsPerPercent = barSteps / 100
	_ = d.bar.Set(int(data.Progress * stepsPerPercent)) // The import goes on if the bar cannot be drawn.
	if data.Status.Terminal() {
		d.end()
	}
	return nil
}

func (d *bar) end() {
	if d.ended {
		return
	}
	d.ended = true
	_ = d.bar.Exit()
	fmt.Fprintln(d.w)
}
