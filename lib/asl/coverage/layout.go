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
	up, down      []*node // The neighbors in the layers above and below.
}

func (n *node) bottom() float64 { return n.y + n.height }

// A link is a way from a node to another in a lower layer. It goes through one bend in each layer between them, the first of which has the
// room for its label.
type link struct {
	from, to int // Indexes of nodes.
	bends    []*node
	label    float64 // The width of the label.
	reversed bool    // The transition leads up: from and to are exchanged.
}

// The distances of a drawing, in pixels.
const (
	gapX        = 22
	gapY        = 18
	labelHeight = 18
	sweeps      = 12 // How often the layers are ordered and moved.
)

// arrange places the nodes in layers from top to bottom so that links lead down, and returns the width and height of all. nodes[0] is
// the start. Between each two layers of states is a layer of labels. A link from a node to itself has no bends.
func arrange(nodes []*node, links []*link) (width, height float64) {
	links = slices.DeleteFunc(slices.Clone(links), func(l *link) bool { return l.from == l.to })
	reverseLoops(nodes, links)
	layers := layersOf(nodes, links)
	orderLayers(layers)
	for i := range sweeps {
		if i%2 == 0 {
			for _, layer := range layers {
				moveLayer(layer, func(n *node) []*node { return n.up })
			}
			continue
		}
		for _, layer := range slices.Backward(layers) {
			moveLayer(layer, func(n *node) []*node { return n.down })
		}
	}
	return placeInRows(layers)
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

// layersOf returns the nodes layer by layer, with the bends of the links between them.
func layersOf(nodes []*node, links []*link) [][]*node {
	depth := make([]int, len(nodes))
	for changed := true; changed; {
		changed = false
		for _, l := range links {
			if depth[l.to] < depth[l.from]+2 { // Between them is a layer of labels.
				depth[l.to], changed = depth[l.from]+2, true
			}
		}
	}

	layers := make([][]*node, slices.Max(depth)+1)
	for i, n := range nodes {
		layers[depth[i]] = append(layers[depth[i]], n)
	}
	for _, l := range links {
		previous := nodes[l.from]
		for d := depth[l.from] + 1; d < depth[l.to]; d++ {
			bend := &node{state: -1, isBend: true}
			if len(l.bends) == 0 {
				bend.width, bend.height = l.label, labelHeight
			}
			l.bends = append(l.bends, bend)
			layers[d] = append(layers[d], bend)
			connect(previous, bend)
			previous = bend
		}
		connect(previous, nodes[l.to])
	}
	return layers
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

// placeInRows sets y of each node, moves the drawing so that its upper left corner is 0, 0, and returns its size.
func placeInRows(layers [][]*node) (width, height float64) {
	left, right := 0.0, 0.0
	for i, layer := range layers {
		for j, n := range layer {
			if i == 0 && j == 0 {
				left, right = n.x, n.x
			}
			left, right = min(left, n.x-n.width/2), max(right, n.x+n.width/2)
		}
	}

	y := 0.0
	for _, layer := range layers {
		tallest := 0.0
		for _, n := range layer {
			n.x, n.y = n.x-left, y
			tallest = max(tallest, n.height)
		}
		for _, n := range layer {
			if n.isBend {
				n.height = tallest
			}
		}
		height = y + tallest
		y = height + gapY
	}
	return right - left, height
}
