# A browser's WebSocket brings its token among the protocols: it is verified, taken out, and never needed by
# the upstream for the handshake to succeed.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::WebSocket;

my $upstream = Test::Mesh::Upstream->start(answer => \&Test::Mesh::WebSocket::echo_texts, processes => 4);
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
underscores_in_headers on;
server {
    listen 127.0.0.1:%%PORT%%;
    root %%ROOT%%;
    add_header Reason $mesh_reason always;
    mesh_authenticate token;
    mesh_token_source websocket;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    location /ws { proxy_pass %%UPSTREAM%%; }
    location /both { mesh_token_source authorization websocket; proxy_pass %%UPSTREAM%%; }
    location /header { mesh_token_source authorization; proxy_pass %%UPSTREAM%%; }
    location /on { mesh_forward_credential on; proxy_pass %%UPSTREAM%%; }
    location ~ ^/from(?<to>/.*) { try_files /none $to$is_args$args; }
}
CONF

my $token = token();
my $other = token(subject => 'somebody-else');
my $bad = token(expires => '-1h');

sub shake_hands ($target, @headers) {
    return Test::Mesh::WebSocket->handshake($server->port, $target, @headers);
}

sub offer ($protocols) { return "Sec-WebSocket-Protocol: $protocols" }

# A handshake that must succeed: what the upstream heard of protocols, and the protocols of the answer.
sub opens ($target, @headers) {
    my $socket = shake_hands($target, @headers);
    return $socket->status . ' ' . ($socket->head =~ /^Reason: (.*?)\r$/m)[0] if $socket->status != 101;
    my $heard = $socket->talk // return 'closed';
    my ($service) = $heard =~ /^X-Mesh-Service: (.*?)\r$/m;
    my @arrived = $heard =~ /^Sec-WebSocket-Protocol: *(.*?)\r$/mig;
    return 'no echo' if $socket->talk('hello') ne 'hello';
    $socket->close;
    return join ' | ', $service // '-', map { s/\Q$token\E/TOKEN/gr } "[@arrived]", '[' . join('; ', $socket->protocols) . ']';
}

subtest 'a token among the protocols' => sub {
    is opens('/ws', offer("bearer, $token")), 'orders-api | [] | [bearer]', 'alone: bearer is named for the upstream';
    is opens('/ws', offer("bearer, $token, chat")), 'orders-api | [chat] | [bearer]', 'beside one that the upstream does not choose';
    is opens('/ws?choose=chat', offer("bearer, $token, chat")), 'orders-api | [chat] | [chat]', '... and one that it does';
    is opens('/ws?choose=mqtt', offer("chat,bearer,$token,mqtt")), 'orders-api | [chat, mqtt] | [mqtt]', 'between others';
    is opens('/ws?choose=', offer("bearer, $token, chat")), 'orders-api | [chat] | [bearer]', 'an empty choice is none';
    is opens('/both', offer("bearer, $token")), 'orders-api | [] | [bearer]', 'in one of several places';
    is opens('/both', "Authorization: Bearer $token", offer('chat')), 'orders-api | [chat] | []',
        'a token elsewhere leaves the protocols alone';
    is opens('/header', "Authorization: Bearer $token", offer("bearer, $token")), "orders-api | [bearer, TOKEN] | []",
        'a place that is not named is not read';
    is opens('/on', offer("bearer, $token, chat")), "orders-api | [bearer, TOKEN, chat] | [bearer]", 'it goes upstream where that is asked for';
    is opens('/from/ws', offer("bearer, $token, chat")), 'orders-api | [chat] | [bearer]', 'after a redirect';
    is opens('/from/on', offer("bearer, $token, chat")), 'orders-api | [bearer, TOKEN, chat] | [bearer]', '... to where it comes back';
    is opens('/ws', "Sec_WebSocket_Protocol: bearer, $token") =~ s/ \| .*//r, 'orders-api', 'in a name that platforms take for it';
};

subtest 'what is refused' => sub {
    for (
        ['none', '401 credential_missing', offer('chat')],
        ['no protocols', '401 credential_missing'],
        ['a token elsewhere', '401 credential_missing', "Authorization: Bearer $token"],
        ['an expired one', '401 token_expired', offer("bearer, $bad")],
        ['nothing behind bearer', '401 token_malformed', offer('chat, bearer')],
        ['no token behind it', '401 token_malformed', offer('bearer, "a"')],
        ['another case', '401 token_malformed', offer("Bearer, $token")],
        ['two tokens', '400 credential_conflict', offer("bearer, $token, bearer, $other")],
        ['the same twice', '400 credential_conflict', offer("bearer, $token, $token")],
        ['two fields', '400 credential_conflict', offer("bearer, $token"), offer('chat')],
        ['two fields by names that are one', '400 credential_conflict', offer("bearer, $token"), "Sec_WebSocket_Protocol: bearer, $other"],
    ) {
        my ($name, $expected, @headers) = @$_;
        is opens('/ws', @headers), $expected, $name;
    }
    is opens('/both', "Authorization: Bearer $token", offer("bearer, $other")), '400 credential_conflict', 'two places';
    my $socket = shake_hands('/ws', offer("bearer, $bad"));
    is_deeply [$socket->protocols], [], 'a refusal names no protocol';
};

subtest 'what is no handshake' => sub {
    my $socket = shake_hands('/ws?status=403', offer("bearer, $token"));
    is $socket->status, 403, 'the upstream refuses';
    is_deeply [$socket->protocols], [], 'and no protocol is named';
};

subtest 'after a reload without the source' => sub {
    $server->reload(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    location / {
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass %%UPSTREAM%%;
    }
}
CONF
    is opens('/', "Authorization: Bearer $token", offer('chat')), 'orders-api | [chat] | []', 'handshakes go on';
};

is scalar(grep { index($server->error_log, $_) >= 0 } $token, $bad, $other), 0, 'the log holds no token';
$server->stop;
$upstream->stop;

config_accepted("include %%KEYS%%/issuers.conf;\nmesh_token_source header x-token websocket;\n", 'beside another place');
config_refused("mesh_token_source websocket websocket;\n", qr/names a place twice/);
config_refused("mesh_token_source header Sec-WebSocket-Protocol;\n", qr/has another meaning/);

done_testing();
