package watch

import (
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/herald-progress/herald/lib/message"
)

const (
	// tickInterval is the time between two calls of next.
	tickInterval = time.Second / drawsPerSecond
	// noteLife is how long a note is shown, and maxNotes how many are shown at once.
	noteLife = 10 * time.Second
	maxNotes = 3
	// defaultWidth and defaultHeight are the size of a terminal until it reports its size.
	defaultWidth, defaultHeight = 80, 24
)

// source returns what the client has reported since the last call: an inbox, except in tests.
type source interface{ next() update }

// tick is the message of bubbletea that makes the model call next.
type tick struct{}

// model is what the screen shows.
type model struct {
	source source
	style  *style
	now    func() time.Time

	width, height int
	conn          connection
	jobs          jobs
	notes         []note
	// top is the index of the first line on the screen, among the lines of all jobs.
	top int
	// stepsShown is whether the steps of running jobs are listed.
	stepsShown bool
	// complete is true once a sync was complete. Until then the user may have jobs even if the model has none.
	complete bool

	// interrupted is true if the user pressed Ctrl-C.
	interrupted bool
	// ended is the reason why the client has ended.
	ended error
}

// note is a note, and the time until which the screen shows it.
type note struct {
	message.Envelope

	until time.Time
}

func newModel(s source, look *style, now func() time.Time) *model {
	return &model{source: s, style: look, now: now, width: defaultWidth, height: defaultHeight, jobs: jobs{since: map[string]news{}}}
}

// Init starts the ticks.
func (m *model) Init() tea.Cmd { return nextTick() }

func nextTick() tea.Cmd {
	return tea.Tick(tickInterval, func(time.Time) tea.Msg { return tick{} })
}

// Update handles a key, a size or a tick.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		if m.applyUpdate() {
			return m, tea.Quit
		}
		return m, nextTick()
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			m.width, m.height = msg.Width, msg.Height
		}
	case tea.KeyMsg:
		return m, m.key(msg.String())
	}
	m.scrollTo(m.top)

	return m, nil
}

// applyUpdate shows what the client has reported since the last call, and returns whether the client has ended.
func (m *model) applyUpdate() (clientEnded bool) {
	u, now := m.source.next(), m.now()
	m.conn = u.conn
	m.complete = m.complete || u.conn.state == live
	if u.jobs != nil {
		m.jobs.set(u.jobs, now)
	}
	for _, e := range u.notes {
		m.notes = append(m.notes, note{e, now.Add(noteLife)})
	}
	m.dropNotes(u.dismissed, now)
	m.scrollTo(m.top)
	if u.ended {
		m.ended = u.err
	}
	return u.ended
}

// dropNotes drops the notes that have been shown for noteLife, the dismissed notes, and the oldest notes above maxNotes.
func (m *model) dropNotes(dismissed []string, now time.Time) {
	gone := map[string]bool{}
	for _, id := range dismissed {
		gone[id] = id != "" // Notes without an id cannot be dismissed.
	}
	var remaining []note
	for _, n := range m.notes {
		if now.Before(n.until) && !gone[n.ID] {
			remaining = append(remaining, n)
		}
	}
	m.notes = remaining[max(0, len(remaining)-maxNotes):]
}

// key handles a key, by the name that bubbletea gives it.
func (m *model) key(name string) tea.Cmd {
	page := max(1, m.bodyHeight()-1)
	switch name {
	case "q", "Q":
		return tea.Quit
	case "ctrl+c":
		m.interrupted = true
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	case "s", "S":
		m.stepsShown = !m.stepsShown
		m.scrollTo(m.top)
	case "up", "k":
		m.scrollTo(m.top - 1)
	case "down", "j":
		m.scrollTo(m.top + 1)
	case "pgup", "b":
		m.scrollTo(m.top - page)
	case "pgdown", " ":
		m.scrollTo(m.top + page)
	case "home", "g":
		m.scrollTo(0)
	case "end", "G":
		m.scrollTo(m.totalLines())
	}

	return nil
}

// scrollTo makes line the first line of jobs on the screen. If too few lines follow it to fill the screen, it takes an earlier one.
func (m *model) scrollTo(line int) {
	m.top = max(0, min(line, m.totalLines()-m.bodyHeight()))
}

// bodyHeight is the number of lines for jobs: all but the notes and the status line.
func (m *model) bodyHeight() int { return max(0, m.height-1-m.noteLines()) }

// noteLines is the number of notes that the screen has room for. Each note takes one line.
func (m *model) noteLines() int { return min(len(m.notes), max(0, m.height-minHeight)) }

// minHeight is the number of lines that stay free of notes.
const minHeight = 5
