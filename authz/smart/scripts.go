package smart

import "net/http"

// scripts lets scripts of registered apps call an endpoint from their own pages. No
// cookie travels with such a call.
//
// See https://fetch.spec.whatwg.org/#http-cors-protocol.
func (s *Server) scripts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin != "" {
			known, err := s.Clients.Origin(r.Context(), origin)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			if known {
				w.Header().Set("Access-Control-Allow-Origin", origin)
			}
		}
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
