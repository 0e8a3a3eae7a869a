# The module loads, and leaves no trace in a server that does not use it.

use Test::Mesh;

config_accepted('', 'the module loads');
config_refused('mesh_nonsense on;', qr/unknown directive "mesh_nonsense"/, 'it takes only its own');

run_tests();

__DATA__

=== a server with the module answers
--- config
    location = /t {
        return 200 "ok\n";
    }
--- request
GET /t
--- response_body
ok
--- error_code: 200
