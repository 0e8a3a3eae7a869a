# A subrequest into a protected location is judged unless its main request was admitted under the
# same settings; whatever it is given, its main request never sees.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $heads = tempdir('heads-XXXXXXXX', TMPDIR => 1, CLEANUP => 1) . '/heads';
my $upstream = Test::Mesh::Upstream->start(heads => $heads);
my $has_slice = qx{@{[nginx_path()]} -V 2>&1} =~ /--with-http_slice_module/;
my $conf = <<'CONF' =~ s/UPSTREAM/$upstream->port/ger;
include %%KEYS%%/issuers.conf;
mesh_accept idp;
log_format subrequest '$uri $status $mesh_decision $mesh_reason';
log_format seen '"$http_authorization" "$http_x_seen"';
log_subrequest on;
access_log %%ROOT%%/logs/subrequest.log subrequest;
server {
    listen 127.0.0.1:%%PORT%%;
    default_type text/html;
    proxy_set_header X-Seen "$mesh_decision $mesh_reason $mesh_service $mesh_limit_remaining";
    proxy_set_header X-Place $uri;

    # Pages, of which each includes what `to` names, twice.
    location /open/ { ssi on; alias %%ROOT%%/; }
    location /closed/ { mesh_authenticate token; ssi on; alias %%ROOT%%/; }
    location /team/ { mesh_authenticate token; mesh_require_claim /team data; ssi on; alias %%ROOT%%/;
                      error_page 403 =200 /open/page.html?$args; }
    location /any/ { satisfy any; allow all; mesh_authenticate token; ssi on; alias %%ROOT%%/; }
    location /moved/ { satisfy any; allow all; mesh_authenticate token; try_files /none /open/page.html?$args; }
    location /silent/ { mesh_authenticate token; mesh_export off; ssi on; alias %%ROOT%%/; }

    location /part { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-any { mesh_authenticate token; satisfy any; deny all; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-team { mesh_authenticate token; mesh_require_claim /team data; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-other { mesh_authenticate token; mesh_accept other; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-forward { mesh_authenticate token; mesh_forward_credential on; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-silent { mesh_authenticate token; mesh_export off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-pass { mesh_authenticate token; mesh_require_claim /team data; mesh_subrequests pass; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-dry { mesh_authenticate token; mesh_require_claim /team data; mesh_dry_run all; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-off { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-limited { mesh_authenticate token; mesh_limit calls rate=1r/h burst=9; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-tight { mesh_authenticate token; mesh_limit tight rate=1r/h; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-page { mesh_authenticate token; mesh_require_claim /team data; error_page 403 /part-off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /part-try { mesh_authenticate token; mesh_log_level warn; try_files /none /part-off; }
    location /accel/ { proxy_pass http://127.0.0.1:%%PORT:accel%%/; }
    location /accel-closed/ { mesh_authenticate token; mesh_log_level warn; proxy_pass http://127.0.0.1:%%PORT:accel%%/; }

    location /asked/same { mesh_authenticate token; auth_request /part; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/open { auth_request /part; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/team { mesh_authenticate token; auth_request /part-team; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/tight { auth_request /part-tight; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/any { satisfy any; mesh_authenticate token; auth_request /part; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/any-open { satisfy any; mesh_authenticate token; auth_request /part-off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/witness-forward { mesh_authenticate token; auth_request /witness/forward; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/witness-silent { mesh_authenticate token; auth_request /witness/silent; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/silent { mesh_authenticate token; mesh_export off; auth_request /witness/plain; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /asked/open-plain { auth_request /witness/plain; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /witness/plain { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /witness/forward { mesh_authenticate token; mesh_forward_credential on; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /witness/silent { mesh_authenticate token; mesh_export off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /witness/team { mesh_authenticate token; mesh_require_claim /team data; proxy_pass http://127.0.0.1:UPSTREAM; }

    location /mirrored/same { mesh_authenticate token; mirror /witness/plain; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /mirrored/open { mirror /witness/plain; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /mirrored/team { mesh_authenticate token; mirror /witness/team; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /mirrored/forward { mesh_authenticate token; mirror /witness/forward; proxy_pass http://127.0.0.1:UPSTREAM; }

    location /added/closed { mesh_authenticate token; add_after_body /part; alias %%ROOT%%/plain.html; }
    location /added/open { add_after_body /part; alias %%ROOT%%/plain.html; }
    location /added/team { mesh_authenticate token; add_before_body /part-team; alias %%ROOT%%/plain.html; }

    SLICE

    location /cookie/ {
        mesh_authenticate token;
        mesh_token_source cookie session;
        location /cookie/keeps { mesh_forward_credential on; auth_request /cookie/witness; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /cookie/drops { auth_request /cookie/witness-forward; proxy_pass http://127.0.0.1:UPSTREAM; }
        location /cookie/witness { proxy_pass http://127.0.0.1:%%PORT:cookie%%; }
        location /cookie/witness-forward { mesh_forward_credential on; proxy_pass http://127.0.0.1:%%PORT:cookie%%; }
    }
}
server {
    listen 127.0.0.1:%%PORT:accel%%;
    access_log off;
    add_header X-Accel-Redirect $uri;
    location / { return 200; }
}
server {
    listen 127.0.0.1:%%PORT:files%%;
    access_log %%ROOT%%/logs/slices.log seen;
    location /slices/ { alias %%ROOT%%/; }
}
log_format cookies '$uri "$http_cookie" "$cookie_a" "$cookie_session"';
server {
    listen 127.0.0.1:%%PORT:cookie%%;
    access_log %%ROOT%%/logs/cookie.log cookies;
    location / { return 204; }
}
CONF
my $slice = <<'CONF';
location /sliced {
        mesh_authenticate token;
        slice 1k;
        proxy_set_header Range $slice_range;
        proxy_set_header X-Seen "$mesh_decision $mesh_service";
        proxy_pass http://127.0.0.1:%%PORT:files%%/slices/large.html;
    }
CONF
$conf =~ s/SLICE/$has_slice ? $slice : ''/e;
my $server = Test::Mesh::Server->start($conf);
my $root = $server->root;
spew("$root/page.html", '<!--# include virtual="$arg_to" -->|<!--# include virtual="$arg_to" -->');
spew("$root/plain.html", "plain\n");
spew("$root/part.html", "X-Seen: in the same place\r\n");
spew("$root/large.html", join '', map { sprintf "%07d\n", $_ } 1 .. 640);

my $token = bearer();
my $data = bearer(claims => { team => 'data' });
my $expired = bearer(expires => '-1h');
my $forged = 'X-Mesh-Service: forged';

# What is included into a page: the status of what is refused, or what the upstream saw.
sub included ($page, $to, @headers) {
    my $response = $server->get("/$page/page.html?to=$to", @headers, $forged);
    is $response->{status}, 200, "$page: the page itself";
    return map { /<title>(\d+)/ ? $1 : /^X-Seen: (.*)\r$/m ? $1 : 'nothing' } split /\|/, $response->{body};
}

sub first_part ($page, $to, @headers) {
    return (split /\|/, $server->get("/$page/page.html?to=$to", @headers, $forged)->{body})[0];
}

sub both ($part) { return [$part, $part] }

subtest 'a page of a location that does not authenticate' => sub {
    is_deeply [included('open', '/part')], both(401), 'includes nothing for nobody';
    is_deeply [included('open', '/part', $expired)], both(401), '... nor for a bad credential';
    is_deeply [included('open', '/part', $token)], both('allowed  orders-api '), '... but for a good one';
    is_deeply [fields(first_part('open', '/part', $token), 'X-Mesh-Service')], ['orders-api'], '... which is known there';
    is_deeply [fields(first_part('open', '/part', $token), 'Authorization')], [], '... by no credential';
    is_deeply [included('open', '/part-team', $token)], both(403), 'a claim is asked for';
    is_deeply [included('open', '/part-team', $data)], both('allowed  orders-api '), '... and found';
    is_deeply [included('open', '/part-other', $token)], both(401), 'and the issuer is looked at';
    is_deeply [included('open', '/part-any')], both(401), 'nobody else is asked about it';
    is_deeply [included('open', '/part-pass')], both('   '), 'mesh_subrequests pass asks nobody';
    is_deeply [fields(first_part('open', '/part-pass', $token), 'X-Mesh-Service')], [], '... and knows nobody';
    is_deeply [included('open', '/part-dry')], both('dry_run credential_missing  '), 'a dry run passes';
    is_deeply [included('open', '/part-dry', $token)], both('dry_run claim_refused orders-api '), '... and says why not';
};

subtest 'a page that is protected' => sub {
    is_deeply [included('closed', '/part', $token)], both('allowed  orders-api '), 'includes what has its settings';
    is_deeply [fields(first_part('closed', '/part', $token), 'X-Mesh-Service')], ['orders-api'], '... with one identity';
    is_deeply [included('closed', '/part-team', $token)], both(403), 'what has others is decided anew';
    is_deeply [included('closed', '/part-team', $data)], both('allowed  orders-api '), '... for each identity';
    is_deeply [included('closed', '/part-other', $token)], both(401), '... or authenticated anew';
    is_deeply [included('closed', '/part-pass', $token)], both('  orders-api '), 'mesh_subrequests pass asks nobody here either';
    is_deeply [fields(first_part('closed', '/part-pass', $token), 'X-Mesh-Service')], ['orders-api'], '... and passes on what the page carries';
    is_deeply [fields(first_part('closed', '/part-off', $token), 'X-Mesh-Service')], ['orders-api'], '... as does a location that does not authenticate';
    is_deeply [fields(first_part('closed', '/part-silent', $token), 'X-Mesh-Service')], [], 'mesh_export off exports nothing of the page';
    is_deeply [fields(first_part('silent', '/part', $token), 'X-Mesh-Service')], ['orders-api'], 'and what it is off for is exported elsewhere';
    is_deeply [fields(first_part('closed', '/part-forward', $token), 'Authorization')], [$token =~ s/^Authorization: //r], 'a credential is put back where it is forwarded';

    is_deeply [included('team', '/part', $token)], both('allowed  orders-api '), 'the error page of a refusal includes what may be seen';
    is_deeply [included('team', '/part-team', $token)], both(403), '... and nothing else';
};

subtest 'an admission by another module' => sub {
    is_deeply [included('any', '/part-any')], both(401), 'does not hold where another module may ask for something else';
    is_deeply [included('any', '/part-any', $expired)], both(401), '... whatever we said';
    is_deeply [included('any', '/any/part.html')], both('in the same place'), '... but in the very same location';
    is_deeply [included('moved', '/part-any')], both(401), '... and not once the request has left it';
    is_deeply [included('any', '/part')], both(401), '... and nowhere else';
    is_deeply [included('any', '/part-team')], both(401), '... nor under other settings';
    is_deeply [included('any', '/part', $token)], both('allowed  orders-api '), 'an admission of ours does';
};

subtest 'limits' => sub {
    my $left = 9;
    for my $page ('open', 'closed') {
        is_deeply [included($page, '/part-limited', $token)], both("allowed  orders-api $left"), "$page: are charged once a request";
        $left--;
    }
    is_deeply [included('open', '/part-tight', $token)], both('allowed  orders-api 0'), 'one that is reached';
    is_deeply [included('open', '/part-tight', $token)], both(429), '... refuses the next';
};

subtest 'internal redirects inside' => sub {
    my $place = sub ($page, $to, @headers) { (fields(first_part($page, $to, @headers), 'X-Place'))[0] };
    is_deeply [included('open', '/accel/part')], both(401), 'X-Accel-Redirect to what is protected is judged';
    is_deeply [included('open', '/accel/part', $token)], both('allowed  orders-api '), '... there';
    is_deeply [included('closed', '/accel/part-team', $token)], both(403), '... by its own settings';
    is $place->('closed', '/accel/part-team', $data), '/part-team', '... and served by them';
    is_deeply [included('open', '/accel-closed/part-off')], both(401), 'what is protected is judged before it';
    is_deeply [fields(first_part('open', '/accel-closed/part-off', $token), 'X-Mesh-Service')], [], '... and exports no further';
    is_deeply [included('open', '/accel-closed/part-off', $token)], both('   '), '... and decides no further';
    is_deeply [included('open', '/accel-closed/part', $token)], both('allowed  orders-api '), 'from one judgement to the next';
    is_deeply [fields(first_part('open', '/part-try', $token), 'X-Mesh-Service')], [], 'try_files likewise';
    is_deeply [included('closed', '/part-page', $token)], both('refused claim_refused  '), 'an error page knows why';
};

subtest 'auth_request' => sub {
    my $status = sub ($target, @headers) { $server->get("/asked/$target", @headers, $forged)->{status} };
    is $status->('same', $token), 200, 'to the same settings';
    is $status->('same'), 401, '... only for who is admitted';
    is $status->('open', $token), 200, 'from a location that does not authenticate';
    my $refused = $server->get('/asked/open', $expired);
    is $refused->{status}, 401, '... refuses by itself';
    like $refused->{headers}{'www-authenticate'}, qr/^Bearer .*error="invalid_token"/, '... with the challenge';
    is $status->('team', $token), 403, 'a denial is passed on';
    is $status->('team', $data), 200, '... to whom it is for';
    is $status->('tight', bearer(subject => 'tight')), 200, 'a limit';
    is $status->('tight', bearer(subject => 'tight')), 500, '... is a status that auth_request does not know';
    is $status->('any', $token), 200, 'satisfy any';
    is $status->('any'), 401, '... asks nobody who would have to be asked by us';
    is $status->('any-open'), 200, '... but who is open';

    # As many headers as need a second part of their list, and a third.
    for my $count (0, 15, 25, 45) {
        my @many = map { "X-Filler-$_: $_" } 1 .. $count;
        for my $row (
            ['witness-forward', 1, 'orders-api', $token =~ s/^Authorization: //r],
            ['witness-silent', 1, '', ''],
            ['silent', 0, 'orders-api', ''],
            ['open-plain', 0, 'orders-api', ''],
        ) {
            my ($target, $exports, $service, $credential) = @$row;
            my $before = () = witnessed();
            my $response = $server->get("/asked/$target", @many, $token, $forged, 'X-Last: 1');
            is $response->{status}, 200, "$target with $count headers more";
            my $own = $response->{body};
            is_deeply [fields($own, 'X-Mesh-Service')], [$exports ? 'orders-api' : ()], '... the main request carries its own';
            is scalar(() = $own =~ /^X-Mesh-/mgi), $exports * 4, '... once';
            is_deeply [fields($own, 'Authorization')], [$target eq 'open-plain' ? $token =~ s/^Authorization: //r : ()], '... and its credential only if nobody is asked';
            is_deeply [fields($own, 'X-Last')], [1], '... and its last header';
            is scalar(() = $response->{body} =~ /^X-Filler-/mg), $count, '... all of them';
            $server->await('a witness', sub { (() = witnessed()) > $before });
            my $seen = (witnessed())[-1];
            is_deeply [map { [fields($seen, $_)] } 'X-Mesh-Service', 'Authorization', 'X-Last'],
                [[$service || ()], [$credential || ()], [1]], '... and the subrequest has its own';
            is scalar(() = $seen =~ /^X-Filler-/mg), $count, '... and all others';
        }
    }
};

sub lines_of ($file) { return split /^/, slurp("$root/logs/$file") }

# The heads of the subrequests to /witness/ that went upstream.
sub witnessed () { return grep { m{^X-Place: /witness/}m } split /(?<=\r\n\r\n)/, slurp($heads, '') }

sub subrequests ($pattern) { return grep { /$pattern/ } lines_of('subrequest.log') }

subtest 'mirror' => sub {
    my $mirrored = sub ($target, @headers) {
        my ($before, $ended) = (scalar(my @w = witnessed()), scalar(my @s = subrequests(qr{^/witness/})));
        my $status = $server->get("/mirrored/$target", @headers, $forged)->{status};
        return $status if $status != 200;
        $server->await('the end of the subrequest', sub { (my @now = subrequests(qr{^/witness/})) > $ended });
        my ($line) = (subrequests(qr{^/witness/}))[-1];
        my @seen = witnessed();
        return ($line =~ s/\n//r, @seen > $before ? join ' ', map { fields($seen[-1], $_) } 'X-Mesh-Service', 'Authorization' : 'nothing');
    };
    my $credential = $token =~ s/^Authorization: //r;
    is_deeply [$mirrored->('same', $token)], ['/witness/plain 200 allowed -', 'orders-api'], 'to the same settings';
    is_deeply [$mirrored->('same')], [401], '... not for nobody';
    is_deeply [$mirrored->('open')], ['/witness/plain 401 refused credential_missing', 'nothing'], 'from where nobody is asked';
    is_deeply [$mirrored->('open', $token)], ['/witness/plain 200 allowed -', 'orders-api'], '... with a token';
    is_deeply [$mirrored->('team', $token)], ['/witness/team 403 refused claim_refused', 'nothing'], 'to stricter settings';
    is_deeply [$mirrored->('team', $data)], ['/witness/team 200 allowed -', 'orders-api'], '... which hold';
    is_deeply [$mirrored->('forward', $token)], ['/witness/forward 200 allowed -', "orders-api $credential"], 'with the credential';
};

subtest 'addition' => sub {
    my $added = $server->get('/added/closed', $token, $forged);
    is $added->{status}, 200, 'to the same settings';
    is_deeply [arrived($added, 'X-Mesh-Service')], ['orders-api'], '... with the identity';
    like $added->{body}, qr/^plain$/m, '... beside the answer';
    unlike $server->get('/added/open')->{body}, qr/^X-Place/m, 'from where nobody is asked, nothing';
    like $server->get('/added/open')->{body}, qr/plain.*<title>401/s, '... but the refusal';
    like $server->get('/added/open', $token)->{body}, qr/^X-Mesh-Service: orders-api\r$/m, '... except with a token';
    unlike $server->get('/added/team', $token)->{body}, qr/^X-Place/m, 'stricter settings hold';
    like $server->get('/added/team', $data)->{body}, qr/^X-Place/m, '... or are met';
};

subtest 'slice' => sub {
    plan skip_all => 'this Nginx has no slice module' if !$has_slice;
    my $response = $server->get('/sliced', $token, $forged);
    is $response->{status}, 200, 'an answer in parts';
    is $response->{body}, slurp("$root/large.html"), '... is whole';
    $server->await('all slices in slices.log', sub { (() = lines_of('slices.log')) >= 5 });
    is_deeply [lines_of('slices.log')], [(qq("-" "allowed orders-api"\n)) x 5], '... each for the identity';
    is $server->get('/sliced')->{status}, 401, 'and not for nobody';
};

subtest 'a token in a cookie' => sub {
    my $session = token();
    my $cookie = "Cookie: a=1; session=$session; b=2";
    my $cookies = sub ($target, @many) {
        my $before = () = lines_of('cookie.log');
        my $response = $server->get("/cookie/$target", @many, $cookie, 'X-Last: 1');
        is $response->{status}, 200, $target;
        $server->await('a line in cookie.log', sub { (() = lines_of('cookie.log')) > $before });
        return ([arrived($response, 'Cookie')], (lines_of('cookie.log'))[-1] =~ s/\n//r);
    };
    for my $count (0, 25) {
        my @many = map { "X-Filler-$_: $_" } 1 .. $count;
        is_deeply [$cookies->('keeps', @many)], [["a=1; session=$session; b=2"], '/cookie/witness "a=1; b=2" "1" "-"'],
            "the main request keeps what the subrequest drops, with $count headers more";
        is_deeply [$cookies->('drops', @many)], [['a=1; b=2'], qq(/cookie/witness-forward "a=1; session=$session; b=2" "1" "$session")],
            "... and drops what it gets, with $count headers more";
    }
};

$server->stop;

for my $level ('', 'server {', 'server { location / {') {
    my $end = ' }' x (() = $level =~ /\{/g);
    config_accepted("$level mesh_subrequests pass;$end", "at $level");
    config_refused("$level mesh_subrequests off;$end", qr/mesh_subrequests: "off" is not judge or pass in .*:\d+/);
    config_refused("$level mesh_subrequests pass; mesh_subrequests judge;$end", qr/mesh_subrequests: is duplicate in .*:\d+/);
}

done_testing;
