package session

import (
	"fmt"

	"github.com/herald-progress/herald/lib/message"
)

// syncPost is one post of the answer to a sync: a frame, or a batch of frames.
type syncPost struct {
	message.Batch

	// replayed is how many of the frames are states and notes. The other frames are welcome and synced.
	replayed int
}

func (p *syncPost) add(frame []byte, replayed bool) {
	p.Frames = append(p.Frames, frame)
	if replayed {
		p.replayed++
	}
}

// pack puts frames into posts, in their order: with batch as many into each as fit, otherwise one into each.
func pack(frames []message.Envelope, batch bool) ([]syncPost, error) {
	var posts []syncPost
	for _, e := range frames {
		frame, err := e.Encode()
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		last := len(posts) - 1
		if last < 0 || !batch || !posts[last].Fits(frame) {
			posts = append(posts, syncPost{})
			last++
		}
		posts[last].add(frame, e.Replayed)
	}

	return posts, nil
}

// splitLast returns the posts before synced, and the frames that are posted together with it: with batch those of the last post, if
// synced fits in.
func splitLast(posts []syncPost, synced message.Envelope, batch bool) (before []syncPost, last syncPost, err error) {
	frame, err := synced.Encode()
	if err != nil {
		return nil, syncPost{}, fmt.Errorf("answer: %w", err)
	}
	if n := len(posts) - 1; batch && n >= 0 && posts[n].Fits(frame) {
		return posts[:n], posts[n], nil
	}

	return posts, syncPost{}, nil
}

func countReplayed(posts []syncPost) (n int) {
	for _, p := range posts {
		n += p.replayed
	}
	return n
}
