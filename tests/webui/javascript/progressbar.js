// Asks the server how far a job is and draws a bar above the gallery.

function randomId() {
    return 'task(' + Math.random().toString(36).slice(2, 15) + ')';
}

function requestProgress(id, container, gallery, atEnd, onProgress, inactivityTimeout = 40) {
    const start = Date.now();
    const bar = document.createElement('div');
    bar.className = 'progressDiv';
    const inner = document.createElement('div');
    inner.className = 'progress';
    bar.appendChild(inner);
    container.parentNode.insertBefore(bar, container);
    let wasActive = false;

    const end = () => {
        bar.remove();
        atEnd();
    };
    const ask = () => {
        fetch('./internal/progress', {
            method: 'POST',
            headers: {'Content-Type': 'application/json'},
            body: JSON.stringify({id_task: id, live_preview: false}),
        }).then((answer) => answer.json()).then((res) => {
            const late = (Date.now() - start) / 1000 > inactivityTimeout;
            const gone = !res.active && (wasActive || (late && !res.queued));
            if (res.completed || gone) {
                end();
                return;
            }
            wasActive = wasActive || res.active;
            const percent = Math.round((res.progress || 0) * 100);
            inner.style.width = percent + '%';
            inner.textContent = (res.textinfo || '') + (percent ? ' ' + percent + '%' : '');
            if (onProgress) onProgress(res);
            setTimeout(ask, 200);
        }).catch(end);
    };
    ask();
}
