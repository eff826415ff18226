package mllp

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Peer is who is at the other end of a connection.
type Peer struct {
	Address     netip.Addr
	Certificate string // SHA-256 of the client certificate, in hexadecimal; "" for none
}

// Server takes messages from connections. Handle and Large must be set.
type Server struct {
	// Handle takes a message in and returns what waits for its answer. It is called for
	// the messages of a connection in their order, and may wait where there are too many.
	Handle func(ctx context.Context, peer Peer, message []byte) func(context.Context) [][]byte

	// Known reports whether somebody could be meant by a peer. Who is nobody is not read
	// from, and takes up the place of nobody else. nil knows everybody.
	Known func(Peer) bool

	// Large answers a message of which only the beginning was read.
	Large func(head []byte) [][]byte

	Size        int           // bytes of a message at most
	Connections int           // at a time
	Idle        time.Duration // how long a connection may be quiet, between messages and within one
	Pending     int           // messages of a connection that may wait for their answers
	Log         *slog.Logger

	mu   sync.Mutex
	open map[net.Conn]bool
	stop bool
	busy sync.WaitGroup
}

// Serve takes connections until ctx ends or ln fails. Then it reads no more, answers
// what it has read, and returns when that is done or within is over.
func (s *Server) Serve(ctx context.Context, ln net.Listener, within time.Duration) error {
	s.open = map[net.Conn]bool{}
	room := &places{known: make(chan struct{}, s.Connections), strange: make(chan struct{}, max(1, s.Connections/4))}
	failed := make(chan error, 1)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() { failed <- s.accept(work, ln, room) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ln.Close()
	s.mu.Lock()
	s.stop = true
	for c := range s.open {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.busy.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(within):
		s.mu.Lock()
		for c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		cancel()
		<-done
	}
	return err
}

// accept takes connections until ln is closed.
func (s *Server) accept(ctx context.Context, ln net.Listener, room *places) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			var passing net.Error
			if errors.As(err, &passing) && passing.Timeout() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			s.Log.Error("accept a connection", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		place := room.known
		if !s.knows(addressOf(c)) {
			if place = room.strange; !encrypted(c) {
				s.Log.Warn("an MLLP connection was refused: no sender has its address", "address", addressOf(c).Address)
				c.Close()
				continue
			}
		}
		if !take(place) {
			s.Log.Warn("an MLLP connection was refused: there are too many", "most", cap(place))
			c.Close()
			continue
		}
		s.mu.Lock()
		if s.stop {
			s.mu.Unlock()
			c.Close()
			return nil
		}
		s.open[c] = true
		s.busy.Add(1)
		s.mu.Unlock()
		go func() {
			defer func() {
				s.mu.Lock()
				delete(s.open, c)
				s.mu.Unlock()
				c.Close()
				<-place
				s.busy.Done()
			}()
			peer, err := s.peerOf(ctx, c)
			switch {
			case err != nil:
				s.Log.Warn("an MLLP connection could not agree on TLS", "error", err)
			case !s.knows(peer):
				s.Log.Warn("an MLLP connection was refused: no sender has its address or certificate", "address", peer.Address)
			case place == room.strange && !take(room.known): // its certificate says who it is
				s.Log.Warn("an MLLP connection was refused: there are too many", "most", s.Connections)
			default:
				if place == room.strange {
					<-place
					place = room.known
				}
				s.serve(ctx, c, peer)
			}
		}()
	}
}

// places are how many connections there may be at a time: of who is known, and of those
// of whom it has to be found out yet.
type places struct{ known, strange chan struct{} }

func take(place chan struct{}) bool {
	select {
	case place <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s *Server) knows(p Peer) bool { return s.Known == nil || s.Known(p) }

func encrypted(c net.Conn) bool {
	_, ok := c.(*tls.Conn)
	return ok
}

// addressOf is what is known of the other end at once.
func addressOf(c net.Conn) (p Peer) {
	if at, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		p.Address = at.Addr().Unmap()
	}
	return p
}

// peerOf says who is at the other end, once TLS is agreed on.
func (s *Server) peerOf(ctx context.Context, c net.Conn) (Peer, error) {
	p := addressOf(c)
	secure, ok := c.(*tls.Conn)
	if !ok {
		return p, nil
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := secure.HandshakeContext(limited); err != nil {
		return p, err
	}
	if certificates := secure.ConnectionState().PeerCertificates; len(certificates) > 0 {
		sum := sha256.Sum256(certificates[0].Raw)
		p.Certificate = hex.EncodeToString(sum[:])
	}
	return p, nil
}

// serve reads the messages of one connection, and answers each in its turn.
func (s *Server) serve(ctx context.Context, c net.Conn, peer Peer) {
	waiting := make(chan func(context.Context) [][]byte, s.Pending)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var answering sync.WaitGroup
	answering.Go(func() {
		broken := false
		for wait := range waiting {
			answers := wait(ctx)
			if broken { // what was read is written all the same
				continue
			}
			if broken = !s.send(c, answers); broken {
				_ = c.SetReadDeadline(time.Unix(1, 0))
			}
		}
	})
	err := s.read(ctx, c, peer, waiting)
	close(waiting)
	answering.Wait()
	part(c)
	if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		var slow net.Error
		if !errors.As(err, &slow) || !slow.Timeout() {
			s.Log.Warn("an MLLP connection ended", "error", err)
		}
	}
}

// read hands in messages until there are no more.
func (s *Server) read(ctx context.Context, c net.Conn, peer Peer, waiting chan<- func(context.Context) [][]byte) error {
	in := NewReader(patient{c, s}, s.Size)
	for {
		message, err := in.Next()
		switch {
		case err == nil:
			waiting <- s.Handle(ctx, peer, message)
		case errors.Is(err, ErrTooLarge):
			answers := s.Large(message)
			waiting <- func(context.Context) [][]byte { return answers }
		default:
			return err
		}
	}
}

// patient waits for each part of a message for a while.
type patient struct {
	net.Conn
	s *Server
}

func (p patient) Read(b []byte) (int, error) {
	p.s.mu.Lock()
	if !p.s.stop {
		_ = p.SetReadDeadline(time.Now().Add(p.s.Idle))
	}
	p.s.mu.Unlock()
	return p.Conn.Read(b)
}

// sendWithin is how long the other end may take to read an answer.
const sendWithin = 30 * time.Second

func (s *Server) send(c net.Conn, answers [][]byte) bool {
	var b []byte
	for _, a := range answers {
		b = Append(b, a)
	}
	if len(b) == 0 {
		return true
	}
	_ = c.SetWriteDeadline(time.Now().Add(sendWithin))
	_, err := c.Write(b)
	return err == nil
}

// partWithin is how long the other end may take to see that the connection ends.
const partWithin = 2 * time.Second

// part ends a connection so that the last answers arrive: one that is closed while
// there is something to read takes back what was sent.
func part(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		_ = secure.CloseWrite()
		c = secure.NetConn()
	}
	half, ok := c.(*net.TCPConn)
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(partWithin))
	_, _ = io.Copy(io.Discard, c)
}
