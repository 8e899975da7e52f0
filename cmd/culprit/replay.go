package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"culprit/internal/replay"
	"culprit/internal/timeline"
)

// replayBody is how much of a recorded body is sent again at the most.
const replayBody = 64 << 20

func replayCommand() *cobra.Command {
	var o replay.Options
	var header, keyLogs []string
	var body, to, caFile string
	var dry, yes, asJSON bool
	c := &cobra.Command{
		Use:   "replay CASE [N]",
		Short: "send a recorded request again and show what happens, as curl -v does",
		Long: `Sends the Nth HTTP request of a case again (without N, the one that the diagnosis
is about, else the last) and shows resolution, connection, TLS with the
certificates, both heads, 100 Continue, an answer that comes before the body is
sent, and times. Nothing is repeated that may change something (POST, PATCH) before you
said yes; credentials go to no other host than the recorded one.

Exit status: 0 when an answer came, 1 when none did, 2 for wrong usage.`,
		Example: "  culprit replay demo.pcapng --expect-continue\n  culprit replay demo.pcapng 1 --to http://localhost:8080 --body none --yes",
		Args:    caseAndNumber,
		RunE: func(c *cobra.Command, args []string) error {
			r, n, err := recordedRequest(args, keyLogs)
			if err != nil {
				return err
			}
			if to != "" {
				u, err := url.Parse(to)
				if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
					return usagef("--to %q: it wants an address with http:// or https://", to)
				}
				if dropped := r.Redirect(u); len(dropped) > 0 {
					fmt.Fprintf(os.Stderr, "culprit: left out for another host: %s\n", strings.Join(dropped, ", "))
				}
			}
			for _, h := range header {
				name, value, ok := strings.Cut(h, ":")
				if !ok || strings.TrimSpace(name) == "" {
					return usagef("--header %q: it wants NAME: VALUE", h)
				}
				r.Set(strings.TrimSpace(name), strings.TrimSpace(value))
			}
			switch body {
			case "":
			case "none":
				r.SetBody(nil)
			default:
				b, err := readBody(body)
				if err != nil {
					return err
				}
				r.SetBody(b)
			}
			if dry {
				fmt.Println(r.Curl(o.Secrets))
				return nil
			}
			if !r.Harmless() && !yes && !(o.Expect && r.Missing > 0) {
				if err := askAgain(r, n, args[0]); err != nil {
					return err
				}
			}
			if caFile != "" {
				pem, err := os.ReadFile(caFile)
				if err != nil {
					return fmt.Errorf("read the authorities: %w", err)
				}
				if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(pem) {
					return fmt.Errorf("%s holds no certificate", caFile)
				}
			}
			return sendAgain(c.Context(), r, o, asJSON)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Expect, "expect-continue", false, "ask the server before the body is sent (Expect: 100-continue)")
	f.StringVar(&body, "body", "", "send this FILE as the body, or `none`")
	f.StringArrayVarP(&header, "header", "H", nil, "set a header field, NAME: VALUE; may be given again")
	f.StringVar(&to, "to", "", "send it to another address (credentials are then left out)")
	f.BoolVar(&dry, "dry-run", false, "send nothing, print the request as a curl command")
	f.BoolVarP(&yes, "yes", "y", false, "send it without asking, also when it may change something")
	f.BoolVarP(&o.Insecure, "insecure", "k", false, "go on when the certificate does not hold")
	f.StringVar(&caFile, "cacert", "", "trust the authorities of this PEM file")
	f.DurationVar(&o.Timeout, "timeout", time.Minute, "give up after so long")
	f.BoolVar(&o.Secrets, "secrets", false, "show credentials instead of ***")
	f.BoolVar(&asJSON, "json", false, "print the outcome as JSON, the story on standard error")
	keyLogFlag(c, &keyLogs)
	return c
}

func curlCommand() *cobra.Command {
	var secrets bool
	var keyLogs []string
	c := &cobra.Command{
		Use:   "curl CASE [N]",
		Short: "print a recorded request as a curl command",
		Long: `Prints the Nth HTTP request of a case (without N, the one that the diagnosis is
about, else the last) as a curl command that is safe to paste into a shell. Credentials are
masked. A body that is not text, or not whole, is left out.

Exit status: 0, or 1 when there is no such request.`,
		Args: caseAndNumber,
		RunE: func(_ *cobra.Command, args []string) error {
			r, _, err := recordedRequest(args, keyLogs)
			if err != nil {
				return err
			}
			fmt.Println(r.Curl(secrets))
			return nil
		},
	}
	c.Flags().BoolVar(&secrets, "secrets", false, "print credentials instead of ***")
	keyLogFlag(c, &keyLogs)
	return c
}

func caseAndNumber(c *cobra.Command, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return usagef("`%s` wants a case, and the number of a request at most: see `%s --help`", c.CommandPath(), c.CommandPath())
	}
	if len(args) == 2 {
		if n, err := strconv.Atoi(args[1]); err != nil || n < 1 {
			return usagef("%q is no number of a request: they count from 1", args[1])
		}
	}
	return nil
}

// recordedRequest finds the request that is meant, and its number.
func recordedRequest(args []string, keyLogs []string) (*replay.Request, int, error) {
	d, err := diagnose(args[0], keyLogs...)
	if err != nil {
		return nil, 0, err
	}
	defer d.c.Close()
	t := d.t
	if d.c.Case != nil { // once more, with the bodies
		if t, err = (timeline.Options{Body: replayBody}).Build(d.c.Events()); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", args[0], err)
		}
	}
	var all []*timeline.Exchange
	var blamed int
	for i, conn := range t.Conns {
		for _, x := range conn.HTTP {
			if x.Request == nil || conn.Accepted {
				continue
			}
			all = append(all, x)
			if d.t.Conns[i] == d.result.Verdict.Conn && (blamed == 0 || x.Response != nil && x.Response.Status >= 400) {
				blamed = len(all)
			}
		}
	}
	if len(all) == 0 {
		return nil, 0, fmt.Errorf("%s has no HTTP request that could be read: `culprit explain %s` says in its coverage why", args[0], args[0])
	}
	n := len(all)
	if blamed > 0 {
		n = blamed
	}
	if len(args) == 2 {
		n, _ = strconv.Atoi(args[1])
		if n > len(all) {
			return nil, 0, fmt.Errorf("%s has %d requests, not %d", args[0], len(all), n)
		}
	}
	r, err := replay.Of(all[n-1])
	if err != nil {
		return nil, 0, fmt.Errorf("request %d of %s: %w", n, args[0], err)
	}
	return r, n, nil
}

func readBody(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, replayBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body %s: %w", path, err)
	case len(b) > replayBody:
		return nil, fmt.Errorf("the body %s is larger than %d bytes", path, replayBody)
	}
	return b, nil
}

// askAgain asks before a request that may change something is repeated.
func askAgain(r *replay.Request, n int, path string) error {
	if !terminal(os.Stdin) {
		return usagef("request %d is %s %s, which may change something: --yes sends it all the same, `culprit curl %s %d` only prints it", n, r.Method, r.Shown(false), path, n)
	}
	fmt.Fprintf(os.Stderr, "%s %s may change something on the server. Send it again? [y/N] ", r.Method, r.Shown(false))
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(line)); err != nil || a != "y" && a != "yes" {
		return &exitError{1, errors.New("nothing was sent")}
	}
	return nil
}

func sendAgain(ctx context.Context, r *replay.Request, o replay.Options, asJSON bool) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	story := io.Writer(os.Stdout)
	if asJSON {
		story = os.Stderr
	} else {
		o.Body = os.Stdout
	}
	o.Now = time.Now
	o.Tell = func(mark byte, text string) { fmt.Fprintf(story, "%c %s\n", mark, visible(text)) }
	res, err := replay.Send(ctx, r, o)
	if errors.Is(err, replay.ErrBody) {
		err = fmt.Errorf("%w: --body FILE sends another one, --expect-continue asks whether it would be taken", err)
	}
	if asJSON {
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		out := map[string]any{"method": r.Method, "url": r.Shown(o.Secrets).String(), "status": res.Status, "sent_bytes": res.Sent, "received_bytes": res.Received, "early": res.Early,
			"milliseconds": map[string]float64{"resolved": ms(res.Resolved), "connected": ms(res.Connected), "tls": ms(res.Handshaken), "head_sent": ms(res.HeadSent), "first_byte": ms(res.FirstByte), "total": ms(res.Total)}}
		if err != nil {
			out["error"] = err.Error()
		}
		return errors.Join(err, json.NewEncoder(os.Stdout).Encode(out))
	}
	return err
}

// visible takes the control characters out of a text that a peer may have made.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
}
