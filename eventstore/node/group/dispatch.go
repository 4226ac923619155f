package group

import "time"

// Dispatch gives out what can be given out: first what is given out again,
// then what is new.
func (g *Group) Dispatch(now time.Time) []Delivery {
	if g.free <= 0 || len(g.retry)+len(g.buffered) == 0 {
		return nil
	}
	var out []Delivery
	give := func(c *Consumer, m *Message) {
		g.held[m.id()] = held{Message: m, by: c, since: now}
		c.InFlight++
		c.Total++
		g.free--
		out = append(out, Delivery{To: c, Message: m, Retries: m.Retries})
	}
	g.retry = g.giveOut(g.retry, give)
	g.buffered = g.giveOut(g.buffered, func(c *Consumer, m *Message) {
		g.bytes -= m.size()
		give(c, m)
	})
	return out
}

// giveOut gives out from a queue while there are free slots. What nobody may
// have now stays, in its order, and does not hold up the others.
func (g *Group) giveOut(queue []*Message, give func(*Consumer, *Message)) []*Message {
	i := 0
	stay := queue[:0]
	for ; i < len(queue) && g.free > 0; i++ {
		m := queue[i]
		// The source may hold two events with one id. An answer names only the
		// id, so the second waits until the first is finished.
		_, twin := g.held[m.id()]
		var c *Consumer
		if !twin {
			c = g.strategy.pick(m)
		}
		if c == nil {
			stay = append(stay, m)
			continue
		}
		give(c, m)
	}
	if len(stay) == 0 {
		clear(queue[:i])
		return queue[i:]
	}
	stay = append(stay, queue[i:]...)
	clear(queue[len(stay):])
	return stay
}
