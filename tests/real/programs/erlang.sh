# Erlang: 20,000 processes, sockets, ports to programs, tables; Elixir's tasks.
# needs: erl erlc elixir
# long
cd "$WORK" || exit 99
cat > f.erl <<'HERE'
-module(f).
-export([main/0, ring/2]).
ring(0, P) -> P ! done;
ring(N, P) -> spawn(fun() -> ring(N - 1, P) end).
drain(P) -> receive {P, {exit_status, E}} -> io:format("exit ~p~n", [E]); {P, M} -> io:format("~p~n", [M]), drain(P) end.
main() ->
  ring(20000, self()), receive done -> io:format("ring~n") end,
  {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {packet, 4}]), {ok, Port} = inet:port(L),
  spawn(fun() -> {ok, A} = gen_tcp:accept(L), {ok, D} = gen_tcp:recv(A, 0), gen_tcp:send(A, D) end),
  {ok, C} = gen_tcp:connect("127.0.0.1", Port, [binary, {active, false}, {packet, 4}]),
  gen_tcp:send(C, binary:copy(<<"x">>, 100000)), {ok, R} = gen_tcp:recv(C, 0), io:format("~p~n", [byte_size(R)]),
  drain(open_port({spawn, "sh -c 'echo port; exit 3'"}, [exit_status, stream])),
  ok = file:write_file("out", "data"), io:format("~p~n", [file:read_file("out")]),
  T = ets:new(t, [ordered_set, public]), [ets:insert(T, {I, I * I}) || I <- lists:seq(1, 10000)],
  io:format("~p~n", [ets:lookup(T, 77)]), {ok, U} = gen_udp:open(0, [binary, {active, true}]), {ok, UP} = inet:port(U),
  ok = gen_udp:send(U, {127, 0, 0, 1}, UP, "dgram"), receive {udp, U, _, _, B} -> io:format("~p~n", [B]) end,
  io:format("~p~n", [element(1, socket:open(inet, stream, tcp))]).
HERE
erlc f.erl && erl -noshell -s f main -s init stop
cat > m.exs <<'HERE'
IO.puts Enum.map(1..1000, fn x -> Task.async(fn -> x * x end) end) |> Enum.map(&Task.await/1) |> Enum.sum()
IO.inspect System.cmd("echo", ["hi"])
HERE
elixir m.exs
