package feed_test

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"strings"
	"time"
)

// client keeps a copy.
type client struct {
	w      *world
	who    string
	scope  string // parameters
	rand   *rand.Rand
	cursor string // URL of the next answer
	copy   map[string]string
	caught bool

	oldCursor string // of a backup
	oldCopy   map[string]string
	lost      int
	most      int // resources that it ever had
}

// answer is what a client reads of a Bundle.
type answer struct {
	Meta struct{ Tag []struct{ Code string } }
	Link []struct{ Relation, URL string }

	Entry []struct {
		Resource json.RawMessage
		Request  struct{ Method, URL string }
		Response struct{ Status, Etag string }
	}
}

// sync asks once. The connection may be lost on the way there, or on the way back.
func (c *client) sync(lose bool) {
	url := c.cursor
	if url == "" {
		url = c.w.url + "/$changes?_count=17&" + c.scope
	}
	ctx := context.Background()
	if lose && c.rand.IntN(3) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.rand.IntN(8000))*time.Microsecond)
		defer cancel()
	}
	status, body, err := c.w.do(ctx, c.who, "GET", url, "")
	switch {
	case err != nil && ctx.Err() != nil:
		c.lost++
		return
	case err != nil:
		c.w.t.Errorf("%s %s: %v", c.who, c.scope, err)
		return
	case lose && c.rand.IntN(3) == 0: // the answer never arrives
		c.lost++
		return
	case status == 503 || status == 409:
		return
	case status == 404 && c.cursor == "" && strings.HasPrefix(c.scope, "group="): // nobody sees it now
		c.copy, c.caught = map[string]string{}, true
		return
	case status != 200:
		c.w.t.Errorf("%s %s: %d %s", c.who, c.scope, status, body)
		return
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		c.w.t.Fatal(err)
	}
	c.apply(&a)
	if lose && c.rand.IntN(60) == 0 { // a backup, or what is left of one
		if c.oldCursor != "" && c.rand.IntN(2) == 0 {
			c.cursor, c.copy = c.oldCursor, maps.Clone(c.oldCopy)
			c.lost++
		} else {
			c.oldCursor, c.oldCopy = c.cursor, maps.Clone(c.copy)
		}
	}
}

func (c *client) apply(a *answer) {
	c.caught = false
	for _, tag := range a.Meta.Tag {
		switch tag.Code {
		case "restart":
			c.copy = map[string]string{}
		case "caught-up":
			c.caught = true
		}
	}
	for _, e := range a.Entry {
		if e.Request.Method == "DELETE" {
			delete(c.copy, e.Request.URL)
		} else {
			c.copy[e.Request.URL] = string(e.Resource)
		}
	}
	c.most = max(c.most, len(c.copy))
	for _, l := range a.Link {
		if l.Relation == "next" {
			c.cursor = l.URL
		}
	}
}
