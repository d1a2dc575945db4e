package cloud

import (
	"context"
	"io"
	"log/slog"
)

// newLog returns a logger that writes lines of JSON to out. A line about an invocation has the id of its trace, as trace: so one query
// finds all lines of a job in the logs of all functions.
func newLog(out io.Writer, level slog.Level) *slog.Logger {
	return slog.New(traceHandler{slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})})
}

// traceHandler adds the id of the trace to each record.
type traceHandler struct{ slog.Handler }

// Handle handles a record. The trace is that of ctx.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := Trace(ctx); id != "" {
		r.AddAttrs(slog.String("trace", id))
	}

	return h.Handler.Handle(ctx, r) //nolint:wrapcheck // the handler is the same, with one more attribute
}

// WithAttrs returns a handler that also adds attributes.
func (h traceHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attributes)}
}

// WithGroup returns a handler that opens a group. The trace is in it, too.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
