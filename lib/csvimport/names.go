package csvimport

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/message"
)

// The columns that the importer knows. Part and quantity are required.
const (
	columnPart     = "part"
	columnColor    = "color"
	columnQuantity = "quantity"
)

// columnNames has, for each column, the names under which it is found, in order of preference. Names are compared by foldName: case,
// blanks and punctuation do not matter, and colour is color. TestTheREADMEListsTheNamesOfColumns requires that the README has the
// same names.
var columnNames = []struct {
	column   string
	required bool
	names    []string
}{
	{columnPart, true, []string{
		"part", "part number", "part num", "part no", "part id", "item", "item no", "item number", "item id",
		"BLItemNo", "BrickLink id", "BrickLink part", "design id", "LDrawId", "element id", "sku", "number", "manufacturer part",
		"manufacturer part number", "mfr part number", "mpn",
	}},
	{columnColor, false, []string{
		"color", "color name", "color id", "color code", "color number", "BLColorId", "BrickLink color id", "LDrawColorId",
	}},
	{columnQuantity, true, []string{
		"quantity", "qty", "qnty", "num", "amount", "count", "pcs", "pieces", "quantity required", "part qty", "quantity per pcb",
	}},
}

// preference has the index of each folded name in its list of columnNames, by column.
var preference = func() map[string]map[string]int {
	all := map[string]map[string]int{}
	for _, c := range columnNames {
		all[c.column] = map[string]int{}
		for i, name := range c.names {
			all[c.column][foldName(name)] = i
		}
	}
	return all
}()

// foldName returns the letters and digits of a name in lower case, with color for colour.
func foldName(name string) string {
	folded := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
	return strings.ReplaceAll(folded, "colour", "color")
}

// findColumn returns the index of the most preferred name of the column, the first one of equals, or -1 if there is none.
func findColumn(column string, folded []string) int {
	found, best := -1, len(folded)+len(preference[column])
	for i, name := range folded {
		if rank, ok := preference[column][name]; ok && rank < best {
			found, best = i, rank
		}
	}
	return found
}

// cleanName returns a column's name without blanks around it and without characters that nobody sees: byte order marks and control
// characters other than tabs and line ends. A name that is not valid UTF-8 is returned as it is, so that finish refuses it.
func cleanName(name string) string {
	if !utf8.ValidString(name) {
		return name
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, name))
}

// makeUnique renames columns so that no two names are equal in any case. It does what pandas does: the first column keeps its name, and
// the next ones get .1, .2 and so on after it. A column without a name is called "column" and its number, after the others have their
// names.
func (h *header) makeUnique() {
	used, next := map[string]int{}, map[string]int{} // By name in lower case: its column, and the next number to try.
	for i, name := range h.names {
		if key := strings.ToLower(name); name != "" {
			if _, taken := used[key]; !taken {
				used[key] = i
			}
		}
	}
	for _, unnamed := range []bool{false, true} {
		for i, name := range h.names {
			if (name == "") != unnamed {
				continue
			}
			if unnamed {
				name = fmt.Sprintf("column %d", i+1)
			}
			h.names[i] = h.uniqueName(i, name, used, next)
		}
	}
}

// uniqueName returns the name for column i. It notes the name if it is not the one that the file has.
func (h *header) uniqueName(i int, name string, used, next map[string]int) string {
	key := strings.ToLower(name)
	owner, taken := used[key]
	if !taken || owner == i {
		used[key] = i
		return name
	}
	other := h.names[owner]
	for {
		next[key]++
		unique := fmt.Sprintf("%s.%d", name, next[key])
		if _, taken := used[strings.ToLower(unique)]; !taken {
			used[strings.ToLower(unique)] = i
			h.note(fmt.Sprintf("Column %d is called %q, because another column is called %q", i+1, truncateName(unique), truncateName(other)))
			return unique
		}
	}
}

// note adds a note for the user. After [message.MaxHeaderNotes] it only says that there are more.
func (h *header) note(text string) {
	switch {
	case len(h.notes) < message.MaxHeaderNotes:
		h.notes = append(h.notes, text)
	case len(h.notes) == message.MaxHeaderNotes:
		h.notes = append(h.notes, "More columns were renamed in the same way")
	}
}

// listNames returns names as a list in quotes. If the list is too long, it ends with the number of the other names.
func listNames(names []string) string {
	var b strings.Builder
	for i, name := range names {
		quoted := fmt.Sprintf("%q", truncateName(name))
		if b.Len()+len(quoted) > message.MaxListed {
			return fmt.Sprintf("%s and %d more", b.String(), len(names)-i)
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoted)
	}
	return b.String()
}

// truncateName limits a column name from the file to [message.MaxShown] bytes.
func truncateName(name string) string {
	name = strings.ToValidUTF8(name, string(utf8.RuneError))
	if len(name) > message.MaxShown {
		name = strings.ToValidUTF8(name[:message.MaxShown], "") + "…"
	}
	return name
}
