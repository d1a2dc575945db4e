package coverage

import (
	"cmp"
	"slices"
)

// A node is what stands in one layer of a drawing: a state, the start or the end of a flow, or a bend of an edge.
type node struct {
	width, height float64
	x, y          float64 // The center of its upper side.
	state         int     // The index of the state in its outline; -1 for another node.
	isBend        bool    // A bend is as high as its layer, so that no state covers its link.
	next          *node   // Of a bend of a trunk: the next bend, or the state that the trunk leads to.
	taken         bool    // Of a bend of a trunk: an execution has come this way.
	up, down      []*node // The neighbors in the layers above and below.
}

func (n *node) bottom() float64 { return n.y + n.height }

// A link is a way from a node to another in a lower layer. It goes through one bend in each layer between them, the first of which has the
// room for its label. The links to a state share their other bends: its trunk. So a state in which many end is drawn with one line.
type link struct {
	from, to int // Indexes of nodes.
	bends    []*node
	trunk    *node   // The bend after which the link goes on as a trunk; nil if it has bends of its own all the way.
	label    float64 // The width of the label.
	taken    bool
	reversed bool // The transition leads up: from and to are exchanged. Such a link has no trunk.
}

// The distances of a drawing, in pixels.
const (
	gapX        = 22
	gapY        = 18
	labelHeight = 18
	sweeps      = 12 // How often the layers are ordered and moved.
	maxBends    = 20_000
)

// A layout is a drawing whose nodes are placed.
type layout struct {
	layers        [][]*node
	trunks        []*node // The bends of all trunks.
	bends         int
	width, height float64
}

// arrange places the nodes in layers from top to bottom so that links lead down. nodes[0] is the start. Between each two layers of states
// is a layer of labels. A link from a node to itself has no bends.
func arrange(nodes []*node, links []*link) *layout {
	links = slices.DeleteFunc(slices.Clone(links), func(l *link) bool { return l.from == l.to })
	reverseLoops(nodes, links)
	y := &layout{}
	y.makeLayers(nodes, links)
	orderLayers(y.layers)
	for i := range sweeps {
		if i%2 == 0 {
			for _, layer := range y.layers {
				moveLayer(layer, func(n *node) []*node { return n.up })
			}
			continue
		}
		for _, layer := range slices.Backward(y.layers) {
			moveLayer(layer, func(n *node) []*node { return n.down })
		}
	}
	y.placeInRows()
	return y
}

// reverseLoops exchanges the ends of each link that leads back to a node on the way to it.
func reverseLoops(nodes []*node, links []*link) {
	const (
		open = iota + 1
		done
	)
	seen := make([]int, len(nodes))
	var visit func(n int)
	visit = func(n int) {
		seen[n] = open
		for _, l := range links {
			if l.from != n || l.reversed {
				continue
			}
			switch seen[l.to] {
			case open:
				l.reversed = true
			case 0:
				visit(l.to)
			}
		}
		seen[n] = done
	}
	for n := range nodes {
		if seen[n] == 0 {
			visit(n)
		}
	}
	for _, l := range links {
		if l.reversed {
			l.from, l.to = l.to, l.from
		}
	}
}

// makeLayers puts the nodes into layers, with the bends of the links between them.
func (y *layout) makeLayers(nodes []*node, links []*link) {
	depth := depths(nodes, links)
	y.layers = make([][]*node, slices.Max(depth)+1)
	for i, n := range nodes {
		y.layers[depth[i]] = append(y.layers[depth[i]], n)
	}

	trunks := map[place]*node{}
	for _, l := range links {
		y.bend(l, nodes, depth, trunks)
		if !l.reversed {
			y.joinTrunk(l, nodes[l.to], depth[l.from]+1, trunks)
		}
	}
}

// depths returns the layer of each node. Every second layer is for labels.
func depths(nodes []*node, links []*link) []int {
	depth := make([]int, len(nodes))
	for changed := true; changed; {
		changed = false
		for _, l := range links {
			if depth[l.to] < depth[l.from]+2 {
				depth[l.to], changed = depth[l.from]+2, true
			}
		}
	}
	return depth
}

// A place is where a trunk goes through a layer.
type place struct{ to, depth int }

// bend adds the bends of a link to the layers: one in each layer until the link meets the trunk of the node that it leads to, or that
// node. After maxBends bends, a link has only the one for its label, so that a machine of any size is drawn.
func (y *layout) bend(l *link, nodes []*node, depth []int, trunks map[place]*node) {
	last := &node{width: l.label, height: labelHeight}
	for d := depth[l.from] + 1; d < depth[l.to]; d++ {
		if bend := trunks[place{l.to, d}]; bend != nil && len(l.bends) > 0 && !l.reversed {
			l.trunk = bend
			connect(last, bend)
			return
		}
		if len(l.bends) == 0 {
			connect(nodes[l.from], last)
		} else {
			if y.bends >= maxBends {
				break
			}
			bend := &node{}
			connect(last, bend)
			last = bend
		}
		y.bends++
		last.state, last.isBend = -1, true
		y.layers[d] = append(y.layers[d], last)
		l.bends = append(l.bends, last)
	}
	connect(last, nodes[l.to])
}

// joinTrunk makes the bends of a link after its label a part of the trunk that leads to a node. labelDepth is the layer of the label.
func (y *layout) joinTrunk(l *link, to *node, labelDepth int, trunks map[place]*node) {
	next := l.trunk
	if next == nil {
		next = to
	}
	for i := len(l.bends) - 1; i > 0; i-- {
		bend := l.bends[i]
		bend.next, next, l.trunk = next, bend, bend
		trunks[place{l.to, labelDepth + i}] = bend
		y.trunks = append(y.trunks, bend)
	}
	l.bends = l.bends[:1]
	for bend := l.trunk; l.taken && bend != nil && bend.isBend && !bend.taken; bend = bend.next {
		bend.taken = true
	}
}

func connect(upper, lower *node) {
	upper.down = append(upper.down, lower)
	lower.up = append(lower.up, upper)
}

// orderLayers orders the nodes of each layer by the mean position of their neighbors, so that few links cross.
func orderLayers(layers [][]*node) {
	order := func(layer []*node, neighbors func(*node) []*node) {
		key := map[*node]float64{}
		for i, n := range layer {
			key[n] = mean(neighbors(n), float64(i))
		}
		slices.SortStableFunc(layer, func(a, b *node) int { return cmp.Compare(key[a], key[b]) })
		for i, n := range layer {
			n.x = float64(i)
		}
	}
	for range sweeps {
		for _, layer := range layers {
			order(layer, func(n *node) []*node { return n.up })
		}
		for _, layer := range slices.Backward(layers) {
			order(layer, func(n *node) []*node { return n.down })
		}
	}
	for _, layer := range layers { // The links from above are seen first.
		order(layer, func(n *node) []*node { return n.up })
	}
}

// mean returns the mean x of the nodes, or fallback if there are none.
func mean(nodes []*node, fallback float64) float64 {
	if len(nodes) == 0 {
		return fallback
	}
	sum := 0.0
	for _, n := range nodes {
		sum += n.x
	}
	return sum / float64(len(nodes))
}

// moveLayer moves the nodes of a layer as near as possible to the mean of their neighbors, in their order and without overlap: the least
// sum of squares, by pooling neighbors that would overlap.
func moveLayer(layer []*node, neighbors func(*node) []*node) {
	type block struct {
		sum   float64
		count int
	}
	blocks := make([]block, 0, len(layer))
	offsets := make([]float64, len(layer))
	for i, n := range layer {
		if i > 0 {
			offsets[i] = offsets[i-1] + (layer[i-1].width+n.width)/2 + gapX
		}
		blocks = append(blocks, block{mean(neighbors(n), n.x) - offsets[i], 1})
		for len(blocks) > 1 {
			last, before := blocks[len(blocks)-1], blocks[len(blocks)-2]
			if before.sum/float64(before.count) <= last.sum/float64(last.count) {
				break
			}
			blocks = append(blocks[:len(blocks)-2], block{before.sum + last.sum, before.count + last.count})
		}
	}

	i := 0
	for _, b := range blocks {
		for range b.count {
			layer[i].x = b.sum/float64(b.count) + offsets[i]
			i++
		}
	}
}

// placeInRows sets y of each node, moves the drawing so that its upper left corner is 0, 0, and sets its size.
func (y *layout) placeInRows() {
	first := y.layers[0][0]
	left, right := first.x, first.x
	for _, layer := range y.layers {
		for _, n := range layer {
			left, right = min(left, n.x-n.width/2), max(right, n.x+n.width/2)
		}
	}
	y.width = right - left

	top := 0.0
	for _, layer := range y.layers {
		tallest := 0.0
		for _, n := range layer {
			n.x, n.y = n.x-left, top
			tallest = max(tallest, n.height)
		}
		for _, n := range layer {
			if n.isBend {
				n.height = tallest
			}
		}
		y.height = top + tallest
		top = y.height + gapY
	}
}
