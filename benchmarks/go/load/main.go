// Command load sends GET requests for some seconds and prints, as JSON, how many were answered and how fast.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

func main() {
	url := flag.String("url", "", "what to ask for")
	cookie := flag.String("cookie", "", "the cookies to send")
	connections := flag.Int("connections", 64, "how many at once")
	duration := flag.Duration("duration", 3*time.Second, "how long")
	flag.Parse()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *connections}, Timeout: 30 * time.Second}
	end := time.Now().Add(*duration)
	var mu sync.Mutex
	var latencies []time.Duration
	failed := 0
	var running sync.WaitGroup
	for range *connections {
		running.Go(func() {
			var own []time.Duration
			bad := 0
			for start := time.Now(); start.Before(end); start = time.Now() {
				if !ask(client, *url, *cookie) {
					bad++
				}
				own = append(own, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, own...)
			failed += bad
		})
	}
	running.Wait()
	slices.Sort(latencies)
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"requests": len(latencies), "failed": failed,
		"p50_us": latencies[len(latencies)/2].Microseconds(), "p99_us": latencies[len(latencies)*99/100].Microseconds(),
	})
}

func ask(client *http.Client, url, cookie string) bool {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}
