package scale

import "time"

// bucket is a token bucket: a request takes a token.
type bucket struct {
	rate, burst, tokens float64
	at                  time.Duration
}

func newBucket(rate, burst int) bucket {
	return bucket{rate: float64(rate), burst: float64(burst), tokens: float64(burst)}
}

// take takes a token and returns true, or returns false if there is none.
func (b *bucket) take(now time.Duration) bool {
	b.tokens = min(b.burst, b.tokens+float64(b.rate*(now-b.at).Seconds())) // the conversion keeps all processors from fusing the two steps
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// demand counts what was asked for in the current second, and the largest count.
type demand struct {
	second      int64
	count, peak int
}

func (d *demand) add(now time.Duration) {
	if second := int64(now / time.Second); second != d.second {
		d.second, d.count = second, 0
	}
	d.count++
	d.peak = max(d.peak, d.count)
}

// gateway has the quotas of API Gateway, and those of the partitions of DynamoDB that many connections share.
type gateway struct {
	stage, connects, requests bucket
	// minutes has the partition of the index of session ends for each minute in which sessions end.
	minutes map[int64]*bucket
	demand  [limits]demand
}

func newGateway(q Quotas) gateway {
	return gateway{
		stage: newBucket(q.Stage, q.StageBurst), connects: newBucket(q.Connects, q.Connects), requests: newBucket(q.Requests, q.RequestBurst),
		minutes: map[int64]*bucket{},
	}
}

// take takes a token of a limit. If there is none, it counts the refusal and returns false.
func (w *world) take(l Limit, b *bucket) bool {
	w.demand[l].add(w.now)
	return b.take(w.now) || w.refuse(l)
}

// refuse counts a refusal and returns false.
func (w *world) refuse(l Limit) bool {
	if w.result.Refused[l] == 0 {
		w.result.FirstAt[l] = w.now
	}
	w.result.Refused[l]++
	return false
}

// acceptConnect reports whether the quotas let a handshake pass.
func (w *world) acceptConnect() bool {
	if w.StageCountsRefused {
		return w.take(StageRate, &w.stage) && w.take(ConnectRate, &w.connects) && w.take(RequestRate, &w.requests)
	}
	return w.take(ConnectRate, &w.connects) && w.take(StageRate, &w.stage) && w.take(RequestRate, &w.requests)
}

// acceptMessage reports whether the quotas let a message of a browser pass.
func (w *world) acceptMessage() bool {
	return w.take(StageRate, &w.stage) && w.take(RequestRate, &w.requests)
}

// acceptPost reports whether the quotas let a post to a connection pass.
func (w *world) acceptPost() bool { return w.take(RequestRate, &w.requests) }

// writeSessionEnd reports whether the index of session ends accepts a write for a session that ends at a time: all sessions that end in
// the same minute share a partition.
func (w *world) writeSessionEnd(end time.Duration) bool {
	minute := int64(end / time.Minute)
	partition := w.minutes[minute]
	if partition == nil {
		b := newBucket(w.PartitionWrites, w.PartitionWrites)
		b.at, partition = w.now, &b
		w.minutes[minute] = partition
	}
	return w.take(PartitionWrites, partition)
}

// functions counts invocations.
type functions struct {
	limit, running, peak int
	// environments is how many have started. They do not end within a simulation.
	environments int
}

// invoke starts an invocation and returns how long it takes, and whether Lambda accepts it.
func (w *world) invoke(takes time.Duration) (time.Duration, bool) {
	f := &w.functions
	if f.running >= f.limit {
		return 0, w.refuse(Concurrency)
	}
	f.running++
	f.peak = max(f.peak, f.running)
	if f.running > f.environments {
		f.environments++
		takes += w.Start
	}
	w.result.FunctionTime += takes
	w.schedule(w.now+takes, event{kind: functionEnds})
	return takes, true
}

// spend reports whether a user may cause n more posts in this minute.
func (w *world) spend(u int, n, budget int) bool {
	spender := &w.users[u]
	if minute := int(w.now / time.Minute); minute != spender.minute {
		spender.minute, spender.spent = minute, 0
	}
	w.result.Peak[UserBudget] = max(w.result.Peak[UserBudget], spender.spent+n)
	if spender.spent+n > budget {
		return w.refuse(UserBudget)
	}
	spender.spent += n
	return true
}
