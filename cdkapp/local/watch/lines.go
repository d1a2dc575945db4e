package watch

import (
	"cmp"
	"fmt"
	"io"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/message"
)

// maxStages is the number of running jobs whose stages are stored. If there are more, lines forgets all stages, and may then print a
// stage twice.
const maxStages = 10_000

// lines prints a line for each phase, each status and each end of a job, and for each note. It prints changes of the connection to errs.
type lines struct {
	out, errs io.Writer
	ascii     bool
	// failed is called with the first error of a write. err is that error. After it, nothing is printed.
	failed func(error)
	err    error
	// stages has the stage that was last printed of each running job, by job id.
	stages map[string]stage
	// synced is true once a sync was complete.
	synced bool
	// conn is the connection that was last reported.
	conn connection
}

// stage is the run, the phase, the status and the try of a running job. Another line of the job is printed only if its stage has changed.
type stage struct {
	epoch, phase string
	status       message.Status
	attempt      int64
}

func (l *lines) frame(e message.Envelope) {
	if state, ok := message.AsUploadProgress(e.Data); ok {
		l.job(e, state)
		return
	}
	switch data := e.Data.(type) {
	case message.Notification:
		if isNews(e, l.synced) {
			l.print(l.out, format.Note(data))
		}
	case message.Error:
		if isNews(e, l.synced) {
			l.print(l.out, "error: "+format.SafeText(data.Message))
		}
	}
}

func (l *lines) job(e message.Envelope, state message.UploadProgress) {
	current := stage{e.Epoch, state.Phase, cmp.Or(state.Status, message.StatusRunning), state.Attempt}
	printed, known := l.stages[e.Job]
	switch {
	case state.Status.Terminal():
		delete(l.stages, e.Job)
	case known && printed == current:
		return
	default:
		if l.stages == nil || len(l.stages) >= maxStages {
			l.stages = map[string]stage{}
		}
		l.stages[e.Job] = current
	}
	status, result := "", ""
	if state.Status.Terminal() {
		status = string(state.Status) + "  "
	}
	if state.Result != "" {
		result = "  result: " + format.SafeText(state.Result)
	}
	l.print(l.out, fmt.Sprintf("%s  %s%s%s", format.SafeText(state.FileName), status, format.State(state), result))
}

func (l *lines) connection(c connection) {
	if c.state != l.conn.state || c.reason != l.conn.reason {
		text := "watch: " + c.state.String()
		if c.reason != "" {
			text += ": " + format.SafeText(c.reason)
		}
		l.print(l.errs, text)
	}
	l.conn = c
	l.synced = l.synced || c.state == live
}

func (l *lines) print(w io.Writer, text string) {
	if l.err != nil {
		return
	}
	if l.ascii {
		text = format.ASCII(text)
	}
	if _, err := fmt.Fprintln(w, text); err != nil {
		l.err = fmt.Errorf("print: %w", err)
		l.failed(l.err)
	}
}

var _ output = (*lines)(nil)
var _ output = (*inbox)(nil)
