import './base.css';
import './bars.css';
import './catalog.css';
import './connections.css';
import './form.css';
import './history.css';
import './statistics.css';
