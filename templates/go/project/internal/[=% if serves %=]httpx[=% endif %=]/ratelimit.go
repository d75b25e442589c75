package httpx

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxClients bounds the memory that the limiter can be made to use.
const maxClients = 50_000

// RateLimit gives every client address its own budget.
func RateLimit(perSecond float64, burst int, trusted []netip.Prefix, exempt func(*http.Request) bool) Middleware {
	clients := &clientLimiters{limit: rate.Limit(perSecond), burst: burst, current: map[netip.Addr]*rate.Limiter{}}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if exempt(r) {
				next.ServeHTTP(w, r)
				return
			}
			now := time.Now()
			limiter := clients.get(clientKey(r, trusted), now)
			if limiter.AllowN(now, 1) {
				next.ServeHTTP(w, r)
				return
			}
			reservation := limiter.ReserveN(now, 1)
			wait := reservation.DelayFrom(now)
			reservation.CancelAt(now)
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			WriteProblem(w, http.StatusTooManyRequests, "too many requests from this client")
		})
	}
}

// clientLimiters keeps two generations, so that idle clients are forgotten without a sweep.
type clientLimiters struct {
	mu                sync.Mutex
	limit             rate.Limit
	burst             int
	current, previous map[netip.Addr]*rate.Limiter
	turned            time.Time
}

func (c *clientLimiters) get(client netip.Addr, now time.Time) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	refill := max(time.Minute, time.Duration(float64(c.burst)/float64(c.limit)*float64(time.Second)))
	if len(c.current) >= maxClients || now.Sub(c.turned) > refill {
		c.previous, c.current, c.turned = c.current, map[netip.Addr]*rate.Limiter{}, now
	}
	limiter, known := c.current[client]
	if !known {
		if limiter, known = c.previous[client]; !known {
			limiter = rate.NewLimiter(c.limit, c.burst)
		}
		c.current[client] = limiter
	}
	return limiter
}

// clientKey is the client's address; an IPv6 client owns its whole /64.
func clientKey(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := clientAddr(r, trusted)
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return addr
}

// clientAddr believes X-Forwarded-For as far as trusted proxies wrote it.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !contains(trusted, addr) {
		return addr.WithZone("")
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(trusted, addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr.WithZone("")
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
