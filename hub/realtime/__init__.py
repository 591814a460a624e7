"""Live: the way from the outbox to every screen, and the socket server at its end.

the order      sequencer  ordering  publisher     one leader gives every change its place, and tells Redis
the worker     log  stream  changes               every change, once, from Redis or from the log
               fanout  topic_state  tallies       to whoever follows its topic
               subscriptions  readings  present   what one missed or the whole state, then everything that follows
               server  heads                      the handlers, the clock
               identity  sockets                  who comes: a person, a tablet, a tracking link; who is there
               positions  presence  occupancy     where riders are, who follows, who has how many sockets
               boards                             kitchens that cook while nobody looks
the engine     engine  rooms  packets  answers    Socket.IO v5 on an engine of our own
               entrance  handshake  session       Engine.IO v4: the way in, and one session
               pending  flood                     how many may wait at the door, how fast one may ask
               transport  bound  polling          bytes in and out, and how many are kept for one client
               frames  turns                      what they mean, and in which order it is handled
               heartbeat  deadlines  garbage      thousands of sockets on one timer
               endings                            tasks that run for ever end when they are told to
               joints  deferred                   where we lean on the insides of others, and load them late
"""
