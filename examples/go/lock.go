// Command lock does a job while it holds a lock. Go 1.19 or newer, standard library only.
//
//	go run lock.go NAME DURATION
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// ErrLeaseLost says that the lease could not be trusted any longer: another process may hold the lock.
var ErrLeaseLost = errors.New("lease lost")

// Refused is an answer of the service that repeating the request would not change.
type Refused struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (r *Refused) Error() string { return r.Code + ": " + r.Detail }

// Client asks one instance after the other until one answers.
type Client struct {
	URLs []string
	Key  string
}

type request struct {
	LeaseID      string `json:"leaseId"`
	TTLMs        int64  `json:"ttlMs,omitempty"`
	WaitMs       int64  `json:"waitMs,omitempty"`
	FencingToken int64  `json:"fencingToken,omitempty"`
}

type grant struct {
	FencingToken int64 `json:"fencingToken"`
	WaitedMs     int64 `json:"waitedMs"`
	ValidForMs   int64 `json:"validForMs"`
	// On the monotonic clock, which time.Time carries.
	trustedUntil time.Time
}

// WithLock waits for a lock for up to wait (25 s at most), and does work while it holds it. The context of the work is
// cancelled when the lease can no longer be trusted; WithLock then returns ErrLeaseLost.
func (c *Client) WithLock(ctx context.Context, name string, ttl, wait time.Duration,
	work func(ctx context.Context, token int64) error) error {
	path := "/v1/locks/" + name
	// Our own, so that a request whose response was lost can be repeated.
	lease := request{LeaseID: newLeaseID(), TTLMs: ttl.Milliseconds(), WaitMs: wait.Milliseconds()}
	g, err := c.acquire(ctx, path, lease, wait)
	if err != nil {
		return err
	}
	lease.WaitMs, lease.FencingToken = 0, g.FencingToken

	held, cancel := context.WithCancel(ctx)
	defer cancel()
	var lost atomic.Bool
	lose := func() {
		lost.Store(true)
		cancel()
	}
	expiry := time.AfterFunc(time.Until(g.trustedUntil), lose)
	defer expiry.Stop()
	go c.renew(held, path, lease, ttl, expiry, lose)

	err = work(held, g.FencingToken)
	if lost.Load() {
		err = ErrLeaseLost
	}
	cancel()
	release, done := context.WithTimeout(context.Background(), 2*time.Second)
	defer done()
	_, _ = c.post(release, path+"/release", request{LeaseID: lease.LeaseID}, time.Second) // or it ends by itself
	return err
}

func (c *Client) acquire(ctx context.Context, path string, lease request, wait time.Duration) (grant, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+10*time.Second)
	defer cancel()
	for {
		g, err := c.post(ctx, path+"/acquire", lease, wait+5*time.Second)
		var refused *Refused
		if err == nil || errors.As(err, &refused) {
			return g, err
		}
		select {
		case <-ctx.Done():
			return g, err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (c *Client) renew(ctx context.Context, path string, lease request, ttl time.Duration,
	expiry *time.Timer, lose func()) {
	pause := ttl / 3
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		g, err := c.post(ctx, path+"/renew", lease, ttl/6)
		var refused *Refused
		switch {
		case err == nil:
			expiry.Reset(time.Until(g.trustedUntil))
			pause = ttl / 3
		case errors.As(err, &refused):
			lose()
		default:
			pause = ttl / 20 // the next attempt may still come in time
		}
	}
}

func (c *Client) post(ctx context.Context, path string, body request, timeout time.Duration) (g grant, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return g, err
	}
	for _, url := range c.URLs {
		if g, err = c.postTo(ctx, url+path, encoded, timeout); err == nil {
			return g, nil
		}
		var refused *Refused
		if errors.As(err, &refused) {
			return g, err
		}
	}
	return g, fmt.Errorf("no instance did it: %w", err)
}

func (c *Client) postTo(ctx context.Context, url string, body []byte, timeout time.Duration) (g grant, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return g, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.Key)
	}
	sent := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return g, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusOK:
		err = json.NewDecoder(res.Body).Decode(&g)
		g.trustedUntil = sent.Add(time.Duration(g.WaitedMs+g.ValidForMs) * time.Millisecond)
		return g, err
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return g, errors.New(res.Status)
	default:
		refused := &Refused{}
		if err := json.NewDecoder(res.Body).Decode(refused); err != nil {
			return g, err
		}
		return g, refused
	}
}

func newLeaseID() string {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: lock NAME DURATION, such as orders-42 30s")
	}
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	urls := os.Getenv("QUORATE_URL")
	if urls == "" {
		urls = "http://127.0.0.1:8080"
	}
	client := &Client{URLs: strings.Split(urls, ","), Key: os.Getenv("QUORATE_KEY")}
	return client.WithLock(context.Background(), args[0], 5*time.Second, 20*time.Second,
		func(ctx context.Context, token int64) error { return job(ctx, token, length) })
}

func job(ctx context.Context, token int64, length time.Duration) error {
	for end := time.Now().Add(length); time.Now().Before(end); {
		fmt.Println("working, token", token)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}
