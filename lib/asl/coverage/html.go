package coverage

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/asl"
)

// The sizes of a drawing, in pixels.
const (
	charWidth  = 6.65 // Of a character of 11 px in a font whose characters are all as wide.
	lineHeight = 16
	padding    = 10
	dot        = 12
	margin     = 12
	loopWidth  = 26
	maxLabel   = 28 // Characters of a label.
	maxName    = 44 // Characters of a line in a state.
)

// HTML returns the report as one HTML page that needs no other file: a drawing of the machine from top to bottom, and a table of all items.
func (p *Profile) HTML() string {
	counts := map[string]Item{}
	for _, i := range p.Items() {
		counts[i.Name] = i
	}
	d := drawing{items: counts}
	flow := d.flow(p.outline)

	taken, all := p.count()
	var b strings.Builder
	fmt.Fprintf(&b, pageHead, html.EscapeString(p.name), html.EscapeString(p.name), percent(taken, all), taken, all)
	for _, kind := range Kinds() {
		if taken, all := p.count(kind); all > 0 {
			fmt.Fprintf(&b, "<li class=%q>%s <b>%d</b> of %d</li>\n", coverClass(taken == all), plural(kind), taken, all)
		}
	}
	b.WriteString("</ul>\n")
	p.writeMissed(&b)
	fmt.Fprintf(&b, "<figure><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"%d %d %.0f %.0f\" role=\"img\" aria-label=\"%s: %s covered\">%s%s</svg>%s</figure>\n",
		flow.width+2*margin, flow.height+2*margin, -margin, -margin, flow.width+2*margin, flow.height+2*margin,
		html.EscapeString(p.name), percent(taken, all), arrowHeads, flow.svg, legend)
	p.writeTable(&b)
	b.WriteString("</main></html>\n")
	return b.String()
}

// writeMissed writes the list of the items that were never taken.
func (p *Profile) writeMissed(b *strings.Builder) {
	missed := p.Missed()
	if len(missed) == 0 {
		b.WriteString("<p class=taken>✓ Every item was taken.</p>\n")
		return
	}
	b.WriteString("<h2>Never taken</h2>\n<ul class=missed>\n")
	for _, i := range missed {
		fmt.Fprintf(b, "<li><code>%s</code></li>\n", html.EscapeString(i.String()))
	}
	b.WriteString("</ul>\n")
}

// writeTable writes the table of all items.
func (p *Profile) writeTable(b *strings.Builder) {
	b.WriteString("<details><summary>All items</summary><table><tr><th></th><th>item</th><th></th><th>taken</th></tr>\n")
	for _, i := range p.Items() {
		fmt.Fprintf(b, "<tr class=%s><td>%s</td><td><code>%s</code></td><td>%s</td><td>%d</td></tr>\n",
			coverClass(i.Count > 0), mark(i.Count > 0), html.EscapeString(i.Name), html.EscapeString(i.Detail), i.Count)
	}
	b.WriteString("</table></details>\n")
}

// coverClass returns the CSS class of what was taken or missed.
func coverClass(taken bool) string {
	if taken {
		return "taken"
	}
	return "missing"
}

// mark returns the sign of what was taken or missed, so that it shows without color.
func mark(taken bool) string {
	if taken {
		return "✓"
	}
	return "✗"
}

// A drawing makes the SVG of a machine.
type drawing struct {
	items map[string]Item // By name.
}

// A picture is a piece of SVG whose upper left corner is 0, 0.
type picture struct {
	width, height float64
	svg           string
}

// flow draws the states of an outline with the transitions between them.
func (d drawing) flow(o asl.Outline) picture {
	nodes := []*node{{width: dot, height: dot, state: -1}}
	cards := make([]picture, len(o.States))
	index := map[string]int{}
	for i, s := range o.States {
		cards[i] = d.card(o.At+"."+s.Name, s)
		index[s.Name] = len(nodes)
		nodes = append(nodes, &node{width: cards[i].width, height: cards[i].height, state: i})
	}

	items := []Item{d.items[o.At+"."+o.StartAt]} // The item of each link.
	links := []*link{{from: 0, to: index[o.StartAt], taken: items[0].Count > 0}}
	end := 0
	for _, s := range o.States {
		for _, e := range s.Exits {
			to := index[e.Next]
			if e.Next == "" {
				if end == 0 {
					end = len(nodes)
					nodes = append(nodes, &node{width: dot, height: dot, state: -1})
				}
				to = end
			}
			item := d.items[o.At+"."+s.Name+"."+e.Field]
			l := &link{from: index[s.Name], to: to, label: textWidth(label(item)) + padding, taken: item.Count > 0}
			if l.from == l.to {
				nodes[l.to].width += 2 * (l.label + loopWidth) // The loop is on the right; the state stays in the middle.
			}
			links = append(links, l)
			items = append(items, item)
		}
	}

	placed := arrange(nodes, links)
	var b strings.Builder
	for _, bend := range placed.trunks {
		drawTrunk(&b, bend)
	}
	for i, l := range links {
		if l.from == l.to {
			drawLoop(&b, nodes[l.to], cards[nodes[l.to].state].width, items[i])
			continue
		}
		drawLink(&b, nodes, l, items[i])
	}
	for i, n := range nodes {
		switch {
		case n.state >= 0:
			fmt.Fprintf(&b, "<g transform=\"translate(%.1f %.1f)\">%s</g>\n", n.x-cards[n.state].width/2, n.y, cards[n.state].svg)
		case i == 0:
			fmt.Fprintf(&b, "<circle class=\"start\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"><title>start</title></circle>\n", n.x, n.y+dot/2, dot/2)
		default:
			fmt.Fprintf(&b, "<circle class=\"end\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"><title>end</title></circle>\n", n.x, n.y+dot/2, dot/2-1)
		}
	}
	return picture{placed.width, placed.height, b.String()}
}

// card draws a state: its name and type, its retriers, and the flows inside it.
func (d drawing) card(at string, s asl.StateOutline) picture {
	item := d.items[at]
	lines := []string{mark(item.Count > 0) + " " + shorten(s.Name, maxName) + times(item.Count)}
	classes := []string{"name"}
	lines, classes = append(lines, s.Type), append(classes, "type")
	titles := []string{item.String()}
	for _, r := range s.Retriers {
		retrier := d.items[at+"."+r.Field]
		lines = append(lines, mark(retrier.Count > 0)+" "+r.Field+" "+shorten(strings.Join(r.Errors, ", "), maxLabel)+times(retrier.Count))
		classes = append(classes, "retrier "+coverClass(retrier.Count > 0))
		titles = append(titles, retrier.String())
	}

	width := 0.0
	for _, line := range lines {
		width = max(width, textWidth(line))
	}
	height := float64(len(lines)*lineHeight + padding)
	inner := make([]picture, len(s.Inner))
	innerWidth, innerHeight := 0.0, 0.0
	for i, o := range s.Inner {
		inner[i] = d.flow(o)
		innerWidth += inner[i].width + 2*padding
		innerHeight = max(innerHeight, inner[i].height+2*padding)
	}
	width = max(width, innerWidth+float64(max(len(inner)-1, 0)*padding)) + 2*padding

	var b strings.Builder
	total := height
	if len(inner) > 0 {
		total += innerHeight + padding
	}
	fmt.Fprintf(&b, "<title>%s</title><rect class=%q width=\"%.1f\" height=\"%.1f\" rx=\"%d\"/>",
		html.EscapeString(strings.Join(titles, "\n")), "state "+coverClass(item.Count > 0), width, total, radius(s.Type))
	for i, line := range lines {
		fmt.Fprintf(&b, "<text class=%q x=\"%d\" y=\"%d\">%s</text>", classes[i]+" "+coverClass(item.Count > 0)+"-state", padding, (i+1)*lineHeight+padding/4, html.EscapeString(line))
	}
	x := (width - innerWidth - float64(max(len(inner)-1, 0)*padding)) / 2
	for _, p := range inner {
		fmt.Fprintf(&b, "<rect class=\"inner\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"4\"/><g transform=\"translate(%.1f %.1f)\">%s</g>",
			x, height, p.width+2*padding, innerHeight, x+padding, height+padding, p.svg)
		x += p.width + 3*padding
	}
	return picture{width, total, b.String()}
}

// radius returns the radius of the corners of a state: a state that ends its flow is rounder.
func radius(kind string) int {
	if kind == "Succeed" || kind == "Fail" {
		return lineHeight
	}
	return 5
}

// label returns the text beside a link; empty for Next and End.
func label(i Item) string {
	if i.Kind != Choice && i.Kind != Catcher {
		return ""
	}
	field := i.Name[strings.LastIndexByte(i.Name, '.')+1:]
	if detail, _, found := strings.Cut(i.Detail, " -> "); found {
		field += " " + detail
	}
	return mark(i.Count > 0) + " " + shorten(field, maxLabel) + times(i.Count)
}

// times returns how often something was taken.
func times(count int) string {
	if count == 0 {
		return ""
	}
	return fmt.Sprintf(" ×%d", count)
}

// textWidth returns the width of a line of text.
func textWidth(text string) float64 { return charWidth * float64(utf8.RuneCountInString(text)) }

// drawLink draws a link as a curve through its bends, with its label: to its trunk, or to its end.
func drawLink(b *strings.Builder, nodes []*node, l *link, item Item) {
	path := curve(nodes[l.from], l.bends...)
	last := l.bends[len(l.bends)-1]
	switch {
	case l.trunk != nil:
		drawPath(b, path+curveTo(last, l.trunk), "", l.taken, item.String())
	case l.reversed:
		drawPath(b, path+curveTo(last, nodes[l.to]), "start", l.taken, item.String())
	default:
		drawPath(b, path+curveTo(last, nodes[l.to]), "end", l.taken, item.String())
	}
	drawLabel(b, l.bends[0].x, l.bends[0].y, item)
}

// drawTrunk draws a trunk from a bend to what follows it.
func drawTrunk(b *strings.Builder, bend *node) {
	end := "end"
	if bend.next.isBend {
		end = ""
	}
	drawPath(b, fmt.Sprintf("M%.1f %.1fV%.1f", bend.x, bend.y, bend.bottom())+curveTo(bend, bend.next), end, bend.taken, "")
}

// curve returns the path from the lower side of a node through bends.
func curve(from *node, bends ...*node) string {
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", from.x, from.bottom())
	for _, bend := range bends {
		fmt.Fprintf(&path, "%sV%.1f", curveTo(from, bend), bend.bottom())
		from = bend
	}
	return path.String()
}

// curveTo returns the path from the lower side of a node to the upper side of another.
func curveTo(from, to *node) string {
	middle := (from.bottom() + to.y) / 2
	return fmt.Sprintf("C%.1f %.1f %.1f %.1f %.1f %.1f", from.x, middle, to.x, middle, to.x, to.y)
}

// drawLoop draws a link from a state to itself, on the right of its card of the given width.
func drawLoop(b *strings.Builder, n *node, width float64, item Item) {
	x, y := n.x+width/2, n.y+n.height/2
	drawPath(b, fmt.Sprintf("M%.1f %.1fc%d -12 %d 24 0 12", x, y-6, loopWidth, loopWidth), "end", item.Count > 0, item.String())
	drawLabel(b, x+loopWidth+textWidth(label(item))/2, y-labelHeight/2, item)
}

// drawPath draws a line. arrow is the end that has the arrow: start, end or "".
func drawPath(b *strings.Builder, path, arrow string, taken bool, title string) {
	class := coverClass(taken)
	marker := ""
	if arrow != "" {
		marker = fmt.Sprintf(" marker-%s=\"url(#%s)\"", arrow, class)
	}
	fmt.Fprintf(b, "<path class=%q d=%q%s><title>%s</title></path>\n", "link "+class, path, marker, html.EscapeString(title))
}

// drawLabel draws the label of a link, if it has one. y is its upper side.
func drawLabel(b *strings.Builder, x, y float64, item Item) {
	text := label(item)
	if text == "" {
		return
	}
	width := textWidth(text) + padding
	fmt.Fprintf(b, "<rect class=\"paper\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/><text class=%q x=\"%.1f\" y=\"%.1f\"><title>%s</title>%s</text>\n",
		x-width/2, y, width, labelHeight, "label "+coverClass(item.Count > 0), x, y+13, html.EscapeString(item.String()), html.EscapeString(text))
}
