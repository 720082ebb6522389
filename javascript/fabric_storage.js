// Owns: what the browser keeps for the next load: whether each tab was switched on, and which page
// and browser this is, so that what was rated comes back after a reload and stays apart from
// another page's. The keys are random and mean nothing to anybody else.

(window.fabricParts ??= {}).storage = () => {
    const KEY = /^[0-9a-f]{32}$/;
    const LOCK_MS = 1000;
    const CLAIM_MS = 300;

    function newKey() {
        const bytes = crypto.getRandomValues(new Uint8Array(16));
        return Array.from(bytes, each => each.toString(16).padStart(2, '0')).join('');
    }

    /** Keeps a text for the next load: of this page, and of any page of this browser. */
    function keep(name, text) {
        for (const area of ['sessionStorage', 'localStorage']) {
            try {
                window[area].setItem(name, text);
            } catch (error) {
                // Storage that is blocked or full: the page then starts empty after a reload.
            }
        }
    }

    function kept(name, areas = ['sessionStorage', 'localStorage']) {
        for (const area of areas) {
            try {
                const text = window[area].getItem(name);
                if (text !== null) return text;
            } catch (error) {
                // As above.
            }
        }
        return null;
    }

    function keptKey(name, area) {
        const key = kept(name, [area]);
        return KEY.test(key) ? key : null;
    }

    /**
     * Whether this page may have a key; if so, it holds it until it is closed. Another open page
     * may have it: a duplicated browser tab takes the key along.
     */
    function claim(page) {
        // Browsers have locks only for https and localhost.
        return navigator.locks ? claimByLock(page) : claimByAsking(page);
    }

    function claimByLock(page) {
        // After a reload the page before gives up its own a moment later.
        const patience = new AbortController();
        setTimeout(() => patience.abort(), LOCK_MS);
        return new Promise(resolve => {
            navigator.locks.request(`fabric-page-${page}`, {signal: patience.signal}, () => {
                resolve(true);
                return new Promise(() => {});
            }).catch(() => resolve(false));
        });
    }

    async function claimByAsking(page) {
        if (!window.BroadcastChannel) return true;
        const channel = new BroadcastChannel('fabric');
        const isTaken = await new Promise(resolve => {
            channel.onmessage = event => {
                if (event.data.taken === page) resolve(true);
            };
            channel.postMessage({asked: page});
            setTimeout(() => resolve(false), CLAIM_MS);
        });
        channel.onmessage = event => {
            if (event.data.asked === page) channel.postMessage({taken: page});
        };
        if (isTaken) channel.close();
        return !isTaken;
    }

    /** A key that was kept, if no other page has it, or else a new one. */
    async function pageKey() {
        const before = keptKey('fabric-page', 'sessionStorage');
        if (before && await claim(before)) return before;
        const page = newKey();
        claim(page);
        return page;
    }

    async function claimKeys() {
        const browser = keptKey('fabric-browser', 'localStorage') || newKey();
        const page = await pageKey();
        keep('fabric-page', page);
        keep('fabric-browser', browser);
        return {page, browser};
    }

    return {
        pageKeys: claimKeys(),
        keepOn: (name, isOn) => keep(`fabric-on-${name}`, isOn ? '1' : ''),
        wasOn: name => kept(`fabric-on-${name}`) === '1',
    };
};
